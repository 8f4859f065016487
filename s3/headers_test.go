package s3

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestRange(t *testing.T) {
	for _, tt := range []struct {
		r    Range
		want string
		bad  bool
	}{
		{Range{}, "", false},
		{Bytes(0, 0), "bytes=0-0", false},
		{Bytes(5, 9), "bytes=5-9", false},
		{From(7), "bytes=7-", false},
		{From(0), "bytes=0-", false},
		{Last(3), "bytes=-3", false},
		{Bytes(9, 5), "", true},
		{Bytes(0, -2), "", true},
		{Bytes(-1, 5), "", true},
	} {
		h := make(http.Header)
		msg := tt.r.apply(h)
		if got := h.Get("Range"); got != tt.want || (msg != "") != tt.bad {
			t.Errorf("%+v: got %q %q, want %q", tt.r, got, msg, tt.want)
		}
	}
}

// FuzzRange checks that every range header is valid HTTP.
func FuzzRange(f *testing.F) {
	f.Add(int64(0), int64(0))
	f.Add(int64(5), int64(4))
	f.Add(int64(-5), int64(-1))
	f.Add(int64(1)<<62, int64(-1)<<62)
	f.Fuzz(func(t *testing.T, a, b int64) {
		for _, tt := range []struct {
			r    Range
			ok   bool
			want string
		}{
			{Bytes(a, b), a >= 0 && b >= a, fmt.Sprintf("bytes=%d-%d", a, b)},
			{From(a), a >= 0, fmt.Sprintf("bytes=%d-", a)},
			{Last(a), a > 0, fmt.Sprintf("bytes=-%d", a)},
		} {
			h := make(http.Header)
			if msg := tt.r.apply(h); (msg == "") != tt.ok || tt.ok && h.Get("Range") != tt.want || !tt.ok && len(h) != 0 {
				t.Errorf("%+v: %q, %v", tt.r, msg, h)
			}
		}
	})
}

func TestParseContentRange(t *testing.T) {
	for in, want := range map[string]string{
		"bytes 0-0/1":                    "0 0 1 true",
		"bytes 5-9/100":                  "5 9 100 true",
		"bytes 5-100/100":                "0 0 0 false",
		"bytes 9-5/100":                  "0 0 0 false",
		"bytes */100":                    "0 0 0 false",
		"bytes 0-1/*":                    "0 0 0 false",
		"":                               "0 0 0 false",
		"0-1/2":                          "0 0 0 false",
		"bytes -1-1/2":                   "0 0 0 false",
		"bytes 0-9/99999999999999999999": "0 0 0 false",
	} {
		first, last, size, ok := parseContentRange(in)
		if !ok {
			first, last, size = 0, 0, 0
		}
		if got := fmt.Sprint(first, last, size, ok); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 5-9/100", "bytes */1", "bytes -1--2/-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		first, last, size, ok := parseContentRange(v)
		if ok && (first < 0 || last < first || size <= last) {
			t.Errorf("%q: %d-%d/%d", v, first, last, size)
		}
	})
}

func TestMetadata(t *testing.T) {
	for _, tt := range []struct{ in, wire string }{
		{"", ""},
		{"33188", "33188"},
		{"plain text, with = and ;", "plain text, with = and ;"},
		{"grün", "=?UTF-8?B?Z3LDvG4=?="},
		{" edge", "=?UTF-8?B?IGVkZ2U=?="},
		{"two  spaces", "=?UTF-8?B?dHdvICBzcGFjZXM=?="},
		{"=?UTF-8?B?Z3LDvG4=?=", "=?UTF-8?B?PT9VVEYtOD9CP1ozTER2RzQ9Pz0=?="},
		{"a\r\nb\x00", "=?UTF-8?B?YQ0KYgA=?="},
	} {
		got := encodeMeta(tt.in)
		if got != tt.wire {
			t.Errorf("%q is sent as %q, want %q", tt.in, got, tt.wire)
		}
		if back := decodeMeta([]string{got}); back != tt.in {
			t.Errorf("%q comes back as %q", tt.in, back)
		}
	}
	if got := decodeMeta([]string{"=?ISO-8859-1?Q?gr=FCn?="}); got != "grün" {
		t.Errorf("quoted-printable Latin 1 is read as %q", got)
	}
	if got := decodeMeta([]string{"=?broken"}); got != "=?broken" {
		t.Errorf("what is no encoded word is read as %q", got)
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add("grün und blau, und noch viel mehr, bis es nicht mehr in ein Wort passt ÄÖÜäöüß")
	f.Add("\xff\xfe  ")
	f.Fuzz(func(t *testing.T, v string) {
		wire := encodeMeta(v)
		for _, word := range strings.Split(wire, " ") {
			if wire != v && len(word) > 75 {
				t.Errorf("word of %d bytes", len(word))
			}
		}
		for _, c := range []byte(wire) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is sent as %q", v, wire)
			}
		}
		if got := decodeMeta([]string{wire}); got != v {
			t.Errorf("%q comes back as %q", v, got)
		}
	})
}

func TestObjectOptionsHeaders(t *testing.T) {
	h := make(http.Header)
	o := ObjectOptions{ContentType: "text/plain", CacheControl: "no-store", ACL: "private", StorageClass: "GLACIER",
		Metadata: map[string]string{"Mode": "1", "x-y": "ü"}, Tags: map[string]string{"b": "1 2", "a&": "="},
		SSE: ServerSideEncryption{Algorithm: "aws:kms", KMSKeyID: "k", BucketKeyEnabled: true}}
	if msg := o.apply(h); msg != "" {
		t.Fatal(msg)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/plain", "Cache-Control": "no-store", "X-Amz-Acl": "private", "X-Amz-Storage-Class": "GLACIER",
		"X-Amz-Meta-Mode": "1", "X-Amz-Meta-X-Y": "=?UTF-8?B?w7w=?=", "X-Amz-Tagging": "a%26=%3D&b=1%202",
		"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "k",
		"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, bad := range []ObjectOptions{
		{Metadata: map[string]string{"a b": ""}}, {Metadata: map[string]string{"": "x"}}, {Metadata: map[string]string{"ü": "x"}},
		{SSE: ServerSideEncryption{Algorithm: "AES256", Customer: &CustomerKey{}}},
	} {
		if msg := bad.apply(make(http.Header)); msg == "" {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

func TestCustomerKey(t *testing.T) {
	k := &CustomerKey{Key: [32]byte{1, 2, 3}}
	h := make(http.Header)
	k.apply(h, ssecPrefix)
	if h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "AES256" ||
		h.Get("X-Amz-Server-Side-Encryption-Customer-Key") != "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" ||
		h.Get("X-Amz-Server-Side-Encryption-Customer-Key-MD5") == "" {
		t.Errorf("got %v", h)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, PutInput{ObjectOptions: ObjectOptions{SSE: ServerSideEncryption{Customer: k}}}); strings.Contains(s, "0x1, 0x2") || strings.Contains(s, "[1 2 3") {
			t.Errorf("%s shows the key: %s", verb, s)
		}
	}
}

// A value that is invalid in a header gives ErrInvalidInput. The error does not contain
// the value.
func TestControlCharactersInHeaders(t *testing.T) {
	for name, change := range map[string]func(*Options, *PutInput){
		"content type":  func(_ *Options, in *PutInput) { in.ContentType = "text/plain\r\nX-Evil: 1" },
		"cache control": func(_ *Options, in *PutInput) { in.CacheControl = "no-store\n" },
		"ETag":          func(_ *Options, in *PutInput) { in.IfMatch = "\"a\x00\"" },
		"token": func(o *Options, _ *PutInput) {
			o.Credentials = StaticCredentials("id", "secret", "sessiontoken\n")
		},
		"user agent": func(o *Options, _ *PutInput) { o.UserAgent = "me\x7f" },
	} {
		t.Run(name, func(t *testing.T) {
			in := &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("x"), Size: 1}
			c := newTestClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") },
				func(o *Options) { change(o, in) })
			_, err := c.Put(t.Context(), in)
			if e := wantIs(t, err, ErrInvalidInput); strings.Contains(e.Error(), "sessiontoken") {
				t.Errorf("a secret is in %v", e)
			}
		})
	}
}
