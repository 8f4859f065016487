package daemon

import (
	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/s3"
)

// FeaturesOf returns a function that lists the known features of the server.
func FeaturesOf(client *s3.Client, bucket string) func() []control.Feature {
	return func() []control.Feature {
		var known []control.Feature
		for _, one := range client.Features(bucket) {
			if one.Support == s3.SupportUnknown {
				continue
			}
			known = append(known, control.Feature{Name: one.Feature.String(), Support: one.Support.String(), Time: one.Time,
				Origin: string(one.Origin), Text: one.String(), Missing: one.Missing()})
		}
		return known
	}
}
