package s3

import (
	"errors"
	"strings"
)

// partition is an isolated group of AWS regions
// (https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html).
type partition struct {
	name   string
	prefix string // of the names of its regions
	suffix string // of the names of its hosts
}

// partitions lists the partitions. The last one has the empty prefix and matches every
// other region.
var partitions = [...]partition{
	{"aws-cn", "cn-", "amazonaws.com.cn"},
	{"aws-us-gov", "us-gov-", "amazonaws.com"},
	{"aws-iso", "us-iso-", "c2s.ic.gov"},
	{"aws-iso-b", "us-isob-", "sc2s.sgov.gov"},
	{"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk"},
	{"aws-iso-f", "us-isof-", "csp.hci.ic.gov"},
	{"aws-eusc", "eusc-", "amazonaws.eu"},
	{"aws", "", "amazonaws.com"},
}

func partitionOf(region string) partition {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p
		}
	}
	return partitions[len(partitions)-1]
}

// awsSuffix returns the domain of AWS to which host belongs.
func awsSuffix(host string) (string, bool) {
	for _, p := range partitions {
		if host == p.suffix || strings.HasSuffix(host, "."+p.suffix) {
			return p.suffix, true
		}
	}
	return "", false
}

// regionOfHost returns the region in an AWS host name, such as
// bucket.s3.eu-west-1.amazonaws.com or s3-eu-west-1.amazonaws.com, or "" if the name
// has none.
func regionOfHost(host string) string {
	suffix, ok := awsSuffix(host)
	if !ok {
		return ""
	}
	labels := strings.Split(strings.TrimSuffix(strings.TrimSuffix(host, suffix), "."), ".")
	last := labels[len(labels)-1]
	if last == "vpce" && len(labels) > 1 {
		last = labels[len(labels)-2]
	}
	last = strings.TrimPrefix(last, "s3-")
	if strings.Count(last, "-") < 2 || strings.HasPrefix(last, "accesspoint") {
		return ""
	}
	return last
}

// awsHost returns the host name service[-fips][.dualstack].region.suffix
// (https://docs.aws.amazon.com/general/latest/gr/s3.html).
func (c *Client) awsHost(service, region string) string {
	if c.opts.FIPS {
		service += "-fips"
	}
	if c.opts.DualStack {
		service += ".dualstack"
	}
	return service + "." + region + "." + partitionOf(region).suffix
}

func (c *Client) locateAWS(t target, bucket, key string) (target, error) {
	t.region = strings.TrimSuffix(t.region, "-global") // pseudo-regions such as aws-global
	if t.region == "aws" {
		t.region = defaultRegion
	}
	switch {
	case strings.HasSuffix(bucket, "--x-s3"):
		return t, inputError("Locate", bucket, key, "directory buckets (S3 Express) are not supported")
	case isMultiRegion(bucket):
		return c.locateMultiRegion(t, bucket, partitionOf(t.region).name, bucket, key)
	case bucket == "":
		t.host, t.path = c.awsHost("s3", t.region), "/"
		return t, nil
	}
	if c.opts.Accelerate {
		if !validHostLabel(bucket) || strings.Contains(bucket, ".") {
			return t, inputError("Locate", bucket, key, "bucket names with dots cannot be accelerated")
		}
		t.host = bucket + ".s3-accelerate.amazonaws.com"
		if c.opts.DualStack {
			t.host = bucket + ".s3-accelerate.dualstack.amazonaws.com"
		}
		t.path = "/" + escapeKey(key)
		return t, nil
	}
	t.host = c.awsHost("s3", t.region)
	if c.style(bucket) == AddressingVirtualHost {
		t.host = bucket + "." + t.host
		t.path = "/" + escapeKey(key)
	} else {
		t.path = pathStyle("", bucket, key)
	}
	return t, nil
}

// isMultiRegion reports whether a bucket is a multi-region access point, by its alias or by
// its ARN, which names no region.
func isMultiRegion(bucket string) bool {
	return strings.HasSuffix(bucket, ".mrap")
}

// locateMultiRegion resolves the alias of a multi-region access point
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointRequests.html).
func (c *Client) locateMultiRegion(t target, alias, part, bucket, key string) (target, error) {
	bad := func(why string) (target, error) { return t, inputError("Locate", bucket, key, why) }
	switch {
	case c.opts.DualStack || c.opts.FIPS || c.opts.Accelerate || c.opts.Addressing == AddressingPath:
		return bad("a multi-region access point has no dual-stack, FIPS, accelerated or path-style endpoint")
	case !validHostLabel(alias) || strings.Count(alias, ".") != 1 || !strings.HasSuffix(alias, ".mrap"):
		return bad("not an alias of a multi-region access point")
	}
	for _, p := range partitions {
		if p.name == part {
			t.region, t.service = anyRegion, "s3"
			t.host, t.path = alias+".accesspoint.s3-global."+p.suffix, "/"+escapeKey(key)
			return t, nil
		}
	}
	return bad("the ARN names no partition of AWS")
}

// CheckAccessPoint reports what is wrong with the ARN of an access point.
func CheckAccessPoint(arn string) error {
	c := Client{endpoint: endpoint{scheme: "https", aws: true}}
	_, err := c.locateARN(target{}, arn, "")
	var e *Error
	if errors.As(err, &e) {
		return errors.New(e.Message)
	}
	return err
}

// locateARN returns the target for the ARN of an access point, an Object Lambda access
// point or an access point on Outposts
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html).
func (c *Client) locateARN(t target, arn, key string) (target, error) {
	bad := func(why string) (target, error) { return t, inputError("Locate", arn, key, why) }
	if c.endpoint.host != "" {
		return bad("an ARN has its own endpoint; leave the option Endpoint unset")
	}
	if c.opts.Accelerate {
		return bad("an access point cannot be accelerated")
	}
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return bad("not an ARN of an access point")
	}
	part, service, region, account := parts[1], parts[2], parts[3], parts[4]
	resource := strings.FieldsFunc(parts[5], func(r rune) bool { return r == '/' || r == ':' })
	if region == "" {
		if service != "s3" || len(resource) != 2 || resource[0] != "accesspoint" {
			return bad("not an ARN of an access point")
		}
		return c.locateMultiRegion(t, resource[1], part, arn, key)
	}
	if !validRegion(region) || partitionOf(region).name != part {
		return bad("region and partition of the ARN do not match")
	}
	t.region, t.service = region, service
	t.path = "/" + escapeKey(key)
	var label string
	switch {
	case service == "s3" && len(resource) == 2 && resource[0] == "accesspoint":
		label = resource[1] + "-" + account
		t.host = label + "." + c.awsHost("s3-accesspoint", region)
	case service == "s3-object-lambda" && len(resource) == 2 && resource[0] == "accesspoint":
		label = resource[1] + "-" + account
		t.host = label + "." + c.awsHost("s3-object-lambda", region)
	case service == "s3-outposts" && len(resource) == 4 && resource[0] == "outpost" && resource[2] == "accesspoint":
		label = resource[3] + "-" + account
		t.host = label + "." + resource[1] + "." + c.awsHost("s3-outposts", region)
	default:
		return bad("not an ARN of an access point")
	}
	if !validHostLabel(label) || strings.Contains(label, ".") || len(resource) == 4 && !validHostLabel(resource[1]) {
		return bad("not an ARN of an access point")
	}
	return t, nil
}
