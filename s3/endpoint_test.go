package s3

import (
	"errors"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	for _, tt := range []struct {
		name        string
		o           Options
		bucket, key string
		want        string // scheme://host/path region service
	}{
		{"default", Options{}, "bucket", "a b", "https://bucket.s3.us-east-1.amazonaws.com/a%20b us-east-1 s3"},
		{"bucket only", Options{}, "bucket", "", "https://bucket.s3.us-east-1.amazonaws.com/ us-east-1 s3"},
		{"region", Options{Region: "eu-west-1"}, "bucket", "k", "https://bucket.s3.eu-west-1.amazonaws.com/k eu-west-1 s3"},
		{"aws-global", Options{Region: "aws-global"}, "bucket", "k", "https://bucket.s3.us-east-1.amazonaws.com/k us-east-1 s3"},
		{"china", Options{Region: "cn-north-1"}, "bucket", "k", "https://bucket.s3.cn-north-1.amazonaws.com.cn/k cn-north-1 s3"},
		{"gov", Options{Region: "us-gov-west-1"}, "bucket", "k", "https://bucket.s3.us-gov-west-1.amazonaws.com/k us-gov-west-1 s3"},
		{"iso", Options{Region: "us-iso-east-1"}, "bucket", "k", "https://bucket.s3.us-iso-east-1.c2s.ic.gov/k us-iso-east-1 s3"},
		{"iso-b", Options{Region: "us-isob-east-1"}, "bucket", "k", "https://bucket.s3.us-isob-east-1.sc2s.sgov.gov/k us-isob-east-1 s3"},
		{"eu sovereign", Options{Region: "eusc-de-east-1"}, "bucket", "k", "https://bucket.s3.eusc-de-east-1.amazonaws.eu/k eusc-de-east-1 s3"},
		{"dual-stack", Options{DualStack: true}, "bucket", "k", "https://bucket.s3.dualstack.us-east-1.amazonaws.com/k us-east-1 s3"},
		{"FIPS", Options{FIPS: true}, "bucket", "k", "https://bucket.s3-fips.us-east-1.amazonaws.com/k us-east-1 s3"},
		{"FIPS dual-stack", Options{FIPS: true, DualStack: true}, "bucket", "k", "https://bucket.s3-fips.dualstack.us-east-1.amazonaws.com/k us-east-1 s3"},
		{"accelerate", Options{Accelerate: true, Region: "eu-west-1"}, "bucket", "k", "https://bucket.s3-accelerate.amazonaws.com/k eu-west-1 s3"},
		{"accelerate dual-stack", Options{Accelerate: true, DualStack: true}, "bucket", "k", "https://bucket.s3-accelerate.dualstack.amazonaws.com/k us-east-1 s3"},
		{"path-style", Options{Addressing: AddressingPath}, "bucket", "k", "https://s3.us-east-1.amazonaws.com/bucket/k us-east-1 s3"},
		{"dots over https", Options{}, "my.bucket", "k", "https://s3.us-east-1.amazonaws.com/my.bucket/k us-east-1 s3"},
		{"dots over http", Options{DisableTLS: true}, "my.bucket", "k", "http://my.bucket.s3.us-east-1.amazonaws.com/k us-east-1 s3"},
		{"old name", Options{}, "My_Bucket", "k", "https://s3.us-east-1.amazonaws.com/My_Bucket/k us-east-1 s3"},
		{"alias", Options{}, "ap-abcdefghijklmnop-s3alias", "k", "https://ap-abcdefghijklmnop-s3alias.s3.us-east-1.amazonaws.com/k us-east-1 s3"},
		{"access point", Options{}, "arn:aws:s3:eu-west-1:123456789012:accesspoint/my-ap", "k",
			"https://my-ap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/k eu-west-1 s3"},
		{"access point, colon", Options{DualStack: true, FIPS: true}, "arn:aws:s3:us-east-1:123456789012:accesspoint:my-ap", "k",
			"https://my-ap-123456789012.s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com/k us-east-1 s3"},
		{"access point, china", Options{}, "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/ap", "k",
			"https://ap-123456789012.s3-accesspoint.cn-north-1.amazonaws.com.cn/k cn-north-1 s3"},
		{"multi-region", Options{Region: "eu-west-1"}, "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", "a b",
			"https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/a%20b * s3"},
		{"multi-region, alias", Options{}, "mfzwi23gnjvgw.mrap", "k", "https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/k * s3"},
		{"object lambda", Options{}, "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/ol", "k",
			"https://ol-123456789012.s3-object-lambda.us-west-2.amazonaws.com/k us-west-2 s3-object-lambda"},
		{"outposts", Options{}, "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/ap", "k",
			"https://ap-123456789012.op-01234567890123456.s3-outposts.us-west-2.amazonaws.com/k us-west-2 s3-outposts"},

		{"custom", Options{Endpoint: "http://127.0.0.1:9000"}, "bucket", "a//b", "http://127.0.0.1:9000/bucket/a//b us-east-1 s3"},
		{"custom, bucket only", Options{Endpoint: "http://127.0.0.1:9000/"}, "bucket", "", "http://127.0.0.1:9000/bucket us-east-1 s3"},
		{"custom, no scheme", Options{Endpoint: "s3.example.com"}, "bucket", "k", "https://s3.example.com/bucket/k us-east-1 s3"},
		{"custom, no TLS", Options{Endpoint: "s3.example.com:80", DisableTLS: true}, "bucket", "k", "http://s3.example.com:80/bucket/k us-east-1 s3"},
		{"custom, path", Options{Endpoint: "https://h/x%20y/"}, "bucket", "k", "https://h/x%20y/bucket/k us-east-1 s3"},
		{"custom, IPv6", Options{Endpoint: "http://[::1]:9000", Addressing: AddressingVirtualHost}, "bucket", "k", "http://[::1]:9000/bucket/k us-east-1 s3"},
		{"custom, virtual-host", Options{Endpoint: "http://s3.example.com", Addressing: AddressingVirtualHost}, "bucket", "/k", "http://bucket.s3.example.com//k us-east-1 s3"},
		{"provider without path-style", Options{Endpoint: "https://oss-eu-central-1.aliyuncs.com", Region: "oss-eu-central-1"}, "bucket", "k",
			"https://bucket.oss-eu-central-1.aliyuncs.com/k oss-eu-central-1 s3"},
		{"AWS by its host", Options{Endpoint: "https://s3.eu-central-1.amazonaws.com"}, "bucket", "k", "https://bucket.s3.eu-central-1.amazonaws.com/k eu-central-1 s3"},
		{"VPC endpoint", Options{Endpoint: "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-west-2.vpce.amazonaws.com"}, "bucket", "k",
			"https://bucket.bucket.vpce-1a2b3c4d-5e6f.s3.us-west-2.vpce.amazonaws.com/k us-west-2 s3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := New(tt.o)
			noError(t, err)
			got, err := c.locate(tt.bucket, tt.key, "")
			noError(t, err)
			if s := got.scheme + "://" + got.host + got.path + " " + got.region + " " + got.service; s != tt.want {
				t.Errorf("got  %s\nwant %s", s, tt.want)
			}
		})
	}
}

func TestLocateRefuses(t *testing.T) {
	for _, tt := range []struct {
		o      Options
		bucket string
	}{
		{Options{}, "arn:aws:s3::123456789012:accesspoint/x"},
		{Options{}, "arn:aws:s3::123456789012:accesspoint/evil.com/x.mrap"},
		{Options{}, "arn:evil:s3::123456789012:accesspoint/x.mrap"},
		{Options{FIPS: true}, "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"},
		{Options{DualStack: true}, "mfzwi23gnjvgw.mrap"},
		{Options{}, "a.b.mrap"},
		{Options{}, "arn:aws:s3:us-east-1:123456789012:accesspoint"},
		{Options{}, "arn:aws:s3:us-east-1:123456789012:accesspoint/a.evil.com"},
		{Options{}, "arn:aws:s3:us-east-1:evil.com#:accesspoint/a"},
		{Options{}, "arn:aws:s3:evil.com/:123456789012:accesspoint/a"},
		{Options{}, "arn:aws-cn:s3:us-east-1:123456789012:accesspoint/a"},
		{Options{}, "arn:aws:s3:us-east-1"},
		{Options{}, "arn:aws:sqs:us-east-1:1:queue"},
		{Options{}, "bucket--use1-az4--x-s3"},
		{Options{Accelerate: true}, "a.b"},
		{Options{Accelerate: true}, "arn:aws:s3:us-east-1:123456789012:accesspoint/a"},
		{Options{Endpoint: "http://h"}, "arn:aws:s3:us-east-1:123456789012:accesspoint/a"},
	} {
		c, err := New(tt.o)
		noError(t, err)
		_, err = c.Head(t.Context(), &HeadInput{Bucket: tt.bucket, Key: "k"})
		e := wantIs(t, err, ErrInvalidInput)
		if e.Op != "HeadObject" || e.Message == "" {
			t.Errorf("%s: %v", tt.bucket, e)
		}
	}
}

func TestRegionOfHost(t *testing.T) {
	for host, want := range map[string]string{
		"bucket.s3.eu-west-1.amazonaws.com":        "eu-west-1",
		"s3-eu-west-1.amazonaws.com":               "eu-west-1",
		"bucket.s3-us-gov-west-1.amazonaws.com":    "us-gov-west-1",
		"s3.dualstack.ap-south-1.amazonaws.com":    "ap-south-1",
		"b.s3.cn-north-1.amazonaws.com.cn":         "cn-north-1",
		"vpce-1-2.s3.us-west-2.vpce.amazonaws.com": "us-west-2",
		"bucket.s3.amazonaws.com":                  "",
		"s3.eu-west-1.amazonaws.com.evil.com":      "",
		"s3.example.com":                           "",
		"":                                         "",
	} {
		if got := regionOfHost(host); got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		name string // in the error; "" for none
		o    Options
	}{
		{"", Options{}},
		{"", Options{Endpoint: "localhost:1"}},
		{"Endpoint", Options{Endpoint: "ftp://h"}},
		{"Endpoint", Options{Endpoint: "http://user:secretword@h"}},
		{"Endpoint", Options{Endpoint: "http://h?x=1"}},
		{"Endpoint", Options{Endpoint: "http://"}},
		{"Endpoint", Options{Endpoint: "http://h:x"}},
		{"Endpoint", Options{Endpoint: "http://h", FIPS: true}},
		{"Region", Options{Region: "us east"}},
		{"Region", Options{Region: "evil.com/"}},
		{"Accelerate", Options{Accelerate: true, FIPS: true}},
		{"Connections", Options{Connections: -1}},
		{"MaxAttempts", Options{MaxAttempts: -1}},
		{"Deadline", Options{Deadline: -1}},
		{"StallTimeout", Options{StallTimeout: -1}},
		{"ChecksumAlgorithm", Options{ChecksumAlgorithm: "MD4"}},
		{"Addressing", Options{Addressing: 9}},
		{"IPFamily", Options{IPFamily: 9}},
		{"Checksums", Options{Checksums: 9}},
	} {
		_, err := New(tt.o)
		if tt.name == "" {
			noError(t, err)
			continue
		}
		if !errors.Is(err, ErrInvalidInput) || !strings.Contains(err.Error(), "option "+tt.name) || strings.Contains(err.Error(), "secretword") {
			t.Errorf("%+v: %v", tt.o, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	c := newTestClient(t, nil) // must not be asked
	ctx := t.Context()
	id := UploadID{Bucket: "bucket", Key: "k", ID: "u"}
	for name, err := range map[string]error{
		"empty bucket":     second(c.Head(ctx, &HeadInput{Key: "k"})),
		"slash in bucket":  second(c.Head(ctx, &HeadInput{Bucket: "a/b", Key: "k"})),
		"space in bucket":  second(c.Ls(ctx, &LsInput{Bucket: "a b"})),
		"dots":             second(c.Ls(ctx, &LsInput{Bucket: ".."})),
		"host in bucket":   second(c.HeadBucket(ctx, "a@evil.com")),
		"empty key":        second(c.Get(ctx, &GetInput{Bucket: "bucket"})),
		"long key":         second(c.Put(ctx, &PutInput{Bucket: "bucket", Key: strings.Repeat("k", 1025)})),
		"range":            second(c.Get(ctx, &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(5, 4)})),
		"negative size":    second(c.Put(ctx, &PutInput{Bucket: "bucket", Key: "k", Size: -1})),
		"no body":          second(c.Put(ctx, &PutInput{Bucket: "bucket", Key: "k", Size: 1})),
		"part 0":           second(c.UploadPart(ctx, &UploadPartInput{Upload: id, PartNumber: 0})),
		"part 10001":       second(c.UploadPart(ctx, &UploadPartInput{Upload: id, PartNumber: 10001})),
		"copy part 10001":  second(c.CopyPart(ctx, &CopyPartInput{Upload: id, PartNumber: 10001, SrcBucket: "bucket", SrcKey: "k"})),
		"copy part range":  second(c.CopyPart(ctx, &CopyPartInput{Upload: id, PartNumber: 1, SrcBucket: "bucket", SrcKey: "k", First: 2, Last: 1})),
		"copy source key":  second(c.Copy(ctx, &CopyInput{SrcBucket: "bucket", SrcKey: strings.Repeat("k", 1025), Bucket: "bucket", Key: "k"})),
		"copy part source": second(c.CopyPart(ctx, &CopyPartInput{Upload: id, PartNumber: 1, SrcBucket: "bucket", SrcKey: strings.Repeat("k", 1025)})),
		"long deleted key": second(c.DeleteMulti(ctx, &DeleteMultiInput{Bucket: "bucket", Objects: []ObjectID{{Key: strings.Repeat("k", 1025)}}})),
		"copy source":      second(c.Copy(ctx, &CopyInput{SrcBucket: "", SrcKey: "k", Bucket: "bucket", Key: "k"})),
		"no upload id":     c.AbortUpload(ctx, UploadID{Bucket: "bucket", Key: "k"}),
		"no parts":         second(c.CompleteUpload(ctx, &CompleteUploadInput{Upload: id})),
		"parts descending": second(c.CompleteUpload(ctx, &CompleteUploadInput{Upload: id, Parts: []Part{{Number: 2}, {Number: 1}}})),
		"max keys":         second(c.Ls(ctx, &LsInput{Bucket: "bucket", MaxKeys: -1})),
		"metadata":         second(c.Put(ctx, &PutInput{Bucket: "bucket", Key: "k", ObjectOptions: ObjectOptions{Metadata: map[string]string{"a:b": ""}}})),
		"delete empty key": second(c.DeleteMulti(ctx, &DeleteMultiInput{Bucket: "bucket", Objects: []ObjectID{{}}})),
		"stream part size": second(c.PutStream(ctx, &PutStreamInput{Bucket: "bucket", Key: "k", Body: strings.NewReader(""), PartSize: 1})),
	} {
		if !errors.Is(err, ErrInvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := c.Put(ctx, &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader(""), Size: MaxPartSize + 1})
	wantIs(t, err, ErrTooLarge)
}

func second[T any](_ T, err error) error { return err }
