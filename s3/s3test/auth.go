package s3test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithmV4 = "AWS4-HMAC-SHA256"
	timeV4      = "20060102T150405Z"
	// maxSkew is how far a client's clock may be off.
	maxSkew = 15 * time.Minute
)

// signature is a SigV4 signature as the request brings it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
type signature struct {
	accessKey, date, region string
	scope                   string // date/region/s3/aws4_request
	headers                 []string
	value                   string
	presigned               bool
	when                    time.Time
	expires                 time.Duration
	token                   string
}

// authenticate verifies the signature of the request as far as Options require it, and
// makes the body readable as the content of the object.
func (c *call) authenticate() error {
	sig, err := c.signature()
	if err != nil {
		return err
	}
	var verify *chunkVerifier
	if sig != nil && sig.region != c.opts.Region {
		return badRequest("AuthorizationHeaderMalformed",
			"The authorization header is malformed; the region '%s' is wrong; expecting '%s'", sig.region, c.opts.Region).
			with("Region", c.opts.Region).withHeader("x-amz-bucket-region", c.opts.Region)
	}
	if c.opts.AccessKey != "" {
		if sig == nil {
			return errAccessDenied()
		}
		key, err := c.verify(sig)
		if err != nil {
			return err
		}
		if strings.HasPrefix(c.r.Header.Get("x-amz-content-sha256"), "STREAMING-"+algorithmV4) {
			verify = newChunkVerifier(key, sig, strings.HasSuffix(c.r.Header.Get("x-amz-content-sha256"), "-TRAILER"))
		}
	}
	if c.chunked() {
		c.body = newChunkedReader(c.r.Body, verify)
	}
	return nil
}

// signature parses the request's signature, nil if it has none.
func (c *call) signature() (*signature, error) {
	get := c.query.Get
	if c.query.Has("X-Amz-Signature") {
		s := &signature{
			presigned: true, value: get("X-Amz-Signature"), token: get("X-Amz-Security-Token"),
			headers: strings.Split(get("X-Amz-SignedHeaders"), ";"),
		}
		seconds, err := strconv.Atoi(get("X-Amz-Expires"))
		if err != nil || seconds < 0 || seconds > 7*24*3600 || get("X-Amz-Algorithm") != algorithmV4 {
			return nil, badRequest("AuthorizationQueryParametersError", "X-Amz-Expires or X-Amz-Algorithm is not valid")
		}
		s.expires = time.Duration(seconds) * time.Second
		return s, s.parse(get("X-Amz-Credential"), get("X-Amz-Date"))
	}
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return nil, nil
	}
	fields, ok := strings.CutPrefix(header, algorithmV4+" ")
	if !ok {
		return nil, badRequest("InvalidRequest", "The authorization mechanism you have provided is not supported. Please use %s.", algorithmV4)
	}
	s := &signature{token: c.r.Header.Get("x-amz-security-token")}
	credential := ""
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			credential = value
		case "SignedHeaders":
			s.headers = strings.Split(value, ";")
		case "Signature":
			s.value = value
		}
	}
	return s, s.parse(credential, c.r.Header.Get("x-amz-date"))
}

// parse takes the credential scope and time apart.
func (s *signature) parse(credential, when string) error {
	parts := strings.Split(credential, "/")
	var err error
	if s.when, err = time.Parse(timeV4, when); err != nil {
		return fail(http.StatusForbidden, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
	}
	if len(parts) < 5 || strings.Join(parts[len(parts)-2:], "/") != "s3/aws4_request" {
		return badRequest("AuthorizationHeaderMalformed", "The authorization header is malformed; the Credential is mal-formed")
	}
	n := len(parts)
	s.accessKey = strings.Join(parts[:n-4], "/")
	s.date, s.region = parts[n-4], parts[n-3]
	s.scope = strings.Join(parts[n-4:], "/")
	if s.date != s.when.Format("20060102") {
		return badRequest("AuthorizationHeaderMalformed", "The authorization header is malformed; Invalid credential date")
	}
	return nil
}

// verify holds the request to its signature and returns the signing key.
func (c *call) verify(s *signature) ([]byte, error) {
	if s.accessKey != c.opts.AccessKey {
		return nil, fail(http.StatusForbidden, "InvalidAccessKeyId",
			"The AWS Access Key Id you provided does not exist in our records.").with("AWSAccessKeyId", s.accessKey)
	}
	if s.token != c.opts.SessionToken {
		return nil, badRequest("InvalidToken", "The provided token is malformed or otherwise invalid.")
	}
	if err := c.checkTime(s); err != nil {
		return nil, err
	}
	if name := c.unsigned(s); name != "" {
		return nil, fail(http.StatusForbidden, "AccessDenied",
			"There were headers present in the request which were not signed").with("HeadersNotSigned", name)
	}
	payload := c.r.Header.Get("x-amz-content-sha256")
	if payload == "" {
		if !s.presigned {
			return nil, badRequest("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
		}
		payload = "UNSIGNED-PAYLOAD"
	}
	canonical := c.canonical(s, payload)
	toSign := strings.Join([]string{algorithmV4, s.when.Format(timeV4), s.scope, hex.EncodeToString(sha256Sum(canonical))}, "\n")
	key := signingKey(c.opts.SecretKey, s.date, s.region)
	if !sameSignature(sign(key, toSign), s.value) {
		return nil, errSignature(canonical, toSign)
	}
	return key, nil
}

// checkTime refuses a request from another time.
func (c *call) checkTime(s *signature) error {
	now := c.opts.Now()
	if s.presigned {
		if now.Before(s.when.Add(-maxSkew)) {
			return fail(http.StatusForbidden, "AccessDenied", "Request is not valid yet")
		}
		if now.After(s.when.Add(s.expires)) {
			return fail(http.StatusForbidden, "AccessDenied", "Request has expired").
				with("Expires", s.when.Add(s.expires).Format(time.RFC3339))
		}
		return nil
	}
	if now.Sub(s.when).Abs() > maxSkew {
		return fail(http.StatusForbidden, "RequestTimeTooSkewed",
			"The difference between the request time and the current time is too large.").
			with("RequestTime", s.when.Format(timeV4)).with("ServerTime", now.UTC().Format(time.RFC3339))
	}
	return nil
}

// unsigned is the first header that should be signed and is not.
func (c *call) unsigned(s *signature) string {
	for name := range c.r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.headers, name) {
			return name
		}
	}
	if !slices.Contains(s.headers, "host") {
		return "host"
	}
	return ""
}

// canonical is the canonical request.
func (c *call) canonical(s *signature, payload string) string {
	rawPath, _, _ := strings.Cut(c.r.RequestURI, "?")
	path, _ := url.PathUnescape(rawPath) // parse has succeeded with it
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n", c.r.Method, encodeKey(path, "%20"), canonicalQuery(c.query))
	for _, name := range s.headers {
		values := slices.Clone(c.r.Header.Values(name))
		switch name {
		case "host":
			values = []string{c.r.Host}
		case "content-length":
			values = []string{strconv.FormatInt(c.r.ContentLength, 10)}
		}
		for i, v := range values {
			values[i] = strings.Join(strings.Fields(v), " ")
		}
		fmt.Fprintf(&b, "%s:%s\n", name, strings.Join(values, ","))
	}
	fmt.Fprintf(&b, "\n%s\n%s", strings.Join(s.headers, ";"), payload)
	return b.String()
}

// canonicalQuery is the query in the form that is signed.
func canonicalQuery(query url.Values) string {
	encoded := map[string][]string{}
	for name, values := range query {
		if name == "X-Amz-Signature" {
			continue
		}
		name = encodeAll(name)
		for _, v := range values {
			encoded[name] = append(encoded[name], name+"="+encodeAll(v))
		}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(encoded)) {
		slices.Sort(encoded[name])
		pairs = append(pairs, encoded[name]...)
	}
	return strings.Join(pairs, "&")
}

// encodeAll is encodeKey that encodes slashes too.
func encodeAll(s string) string { return strings.ReplaceAll(encodeKey(s, "%20"), "/", "%2F") }

func errSignature(canonical, toSign string) *apiError {
	return fail(http.StatusForbidden, "SignatureDoesNotMatch",
		"The request signature we calculated does not match the signature you provided. Check your key and signing method.").
		with("StringToSign", toSign).with("CanonicalRequest", canonical)
}

// signingKey derives the key of a day and region.
func signingKey(secret, date, region string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, "s3", "aws4_request"} {
		key = sign(key, part)
	}
	return key
}

func sign(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(message))
	return h.Sum(nil)
}

func sha256Sum(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// sameSignature compares a signature with its hex form.
func sameSignature(want []byte, got string) bool {
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(want)), []byte(got)) == 1
}
