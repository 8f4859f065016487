package setup

import (
	"context"
	"crypto/rand"
	"reflect"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/s3"
)

// tryObject writes an empty object with the options for objects, and deletes it. Without
// options it does nothing. A server that refuses an option, or that ignores a customer's key,
// is found before the first file is written.
func tryObject(ctx context.Context, client *s3.Client, rules s3.ObjectRules, s *settings.Settings) error {
	if s.FS.ReadOnly || reflect.ValueOf(rules).IsZero() {
		return nil
	}
	key := s.Source.Prefix + probeDir + "trial-" + strings.ToLower(rand.Text())
	out, err := client.Put(ctx, &s3.PutInput{Bucket: s.Source.Bucket, Key: key})
	if err != nil {
		return exit.Errorf(exit.Bucket, "%s does not accept objects with %s: %w", EndpointName(s), strings.Join(objectOptionNames(s), ", "), err)
	}
	_, err = client.Delete(ctx, &s3.DeleteInput{Bucket: s.Source.Bucket, Key: key, VersionID: out.VersionID})
	if err != nil && s.S3.Logger != nil { // whoever may only add objects keeps an empty one
		s.S3.Logger.Debug("cannot delete the trial object", "key", key, "error", err)
	}
	return nil
}

// objectOptionNames returns the given options for objects, as on the command line.
func objectOptionNames(s *settings.Settings) []string {
	var names []string
	for _, o := range settings.Options() {
		if o.DescribesObjects() && s.Given[o.Name] {
			names = append(names, o.Flags()[0])
		}
	}
	if len(names) == 0 {
		names = append(names, customerKeyVariable)
	}
	return names
}
