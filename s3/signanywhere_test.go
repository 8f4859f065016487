package s3

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"net/http"
	"strings"
	"testing"
)

// deriveSigV4A derives the public key of an access key as AWS describes it
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html).
func deriveSigV4A(id, secret string) *ecdsa.PublicKey {
	curve := elliptic.P256()
	limit := new(big.Int).Sub(curve.Params().N, big.NewInt(2))
	for counter := byte(1); ; counter++ {
		h := hmac.New(sha256.New, []byte("AWS4A"+secret))
		h.Write([]byte("\x00\x00\x00\x01AWS4-ECDSA-P256-SHA256\x00" + id + string([]byte{counter}) + "\x00\x00\x01\x00"))
		d := new(big.Int).SetBytes(h.Sum(nil))
		if d.Cmp(limit) > 0 {
			continue
		}
		d.Add(d, big.NewInt(1))
		key, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, 32)))
		if err != nil {
			panic(err) // d is within the order of the curve
		}
		return &key.PublicKey
	}
}

// TestMultiRegionAccessPoint checks the signature of requests that any region may answer.
func TestMultiRegionAccessPoint(t *testing.T) {
	const id, secret = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	public := deriveSigV4A(id, secret)
	large := strings.Repeat("x", 1<<20) // is sent with a trailer elsewhere
	kinds := map[string]bool{}
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		kinds[r.Method] = true
		if r.URL.Host != "mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com" {
			t.Errorf("the host is %s", r.URL.Host)
		}
		rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-ECDSA-P256-SHA256 Credential="+id+"/")
		scope, rest, _ := strings.Cut(rest, ", SignedHeaders=")
		names, signature, _ := strings.Cut(rest, ", Signature=")
		if !ok || r.Header.Get("X-Amz-Region-Set") != "*" || !strings.HasSuffix(scope, "/s3/aws4_request") || !strings.Contains(names, "host;x-amz-") {
			t.Fatalf("Authorization %q, regions %q", r.Header.Get("Authorization"), r.Header.Get("X-Amz-Region-Set"))
		}
		canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n" + r.URL.RawQuery + "\n"
		for name := range strings.SplitSeq(names, ";") {
			value := r.Header.Get(name)
			if name == "host" {
				value = r.Host
			}
			canonical += name + ":" + value + "\n"
		}
		canonical += "\n" + names + "\n" + r.Header.Get("X-Amz-Content-Sha256")
		sum := sha256.Sum256([]byte(canonical))
		digest := sha256.Sum256([]byte("AWS4-ECDSA-P256-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + hex.EncodeToString(sum[:])))
		raw, err := hex.DecodeString(signature)
		if err != nil || !ecdsa.VerifyASN1(public, digest[:], raw) {
			t.Errorf("%s %s: the signature does not match", r.Method, r.URL)
		}
		if r.Method == http.MethodGet {
			return answer(200, `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`), nil
		}
		return answer(200, "", "ETag", `"e"`, "Content-Length", "0"), nil
	}, func(o *Options) {
		o.Endpoint = ""
		o.Credentials = StaticCredentials(id, secret, "token")
	})
	for _, bucket := range []string{"mfzwi23gnjvgw.mrap", "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"} {
		_, err := c.Ls(t.Context(), &LsInput{Bucket: bucket, Prefix: "a b+c"})
		noError(t, err)
		_, err = c.Head(t.Context(), &HeadInput{Bucket: bucket, Key: "ü b//c+%"})
		noError(t, err)
		_, err = c.Put(t.Context(), &PutInput{Bucket: bucket, Key: "k", Body: strings.NewReader(large), Size: int64(len(large))})
		noError(t, err)
	}
	if len(kinds) != 3 {
		t.Errorf("the requests were %v", kinds)
	}
}
