package s3

// profile is what is known of a kind of server without asking it.
type profile [featureCount]Support

// isS3 reports whether the server is known to do everything that S3 does.
func (p *profile) isS3() bool {
	return p[FeaturePutIfMatch] == SupportYes && p[FeatureCopySourceIf] == SupportYes && p[FeatureCopyIfMatch] == SupportYes
}

func profileOf(o Options, e endpoint) profile {
	var p profile
	if e.aws {
		for i := range p {
			p[i] = SupportYes
		}
	}
	return p
}
