package s3

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RestoreInput asks for a temporary copy of an archived object.
type RestoreInput struct {
	Bucket, Key string
	VersionID   string
	// Days is how long the copy stays. It must be 0 for objects in the archive tiers of
	// INTELLIGENT_TIERING, which return for good.
	Days int
	// Tier is one of RestoreTiers; "" leaves it to the server.
	Tier string
}

// RestoreTiers returns the tiers of a restore, the fastest first
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html).
func RestoreTiers() []string { return []string{"Expedited", "Standard", "Bulk"} }

// Restore starts to restore an archived object
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html). It is no error
// if that is under way already. HEAD shows the progress, see ObjectInfo.RestoreState.
func (c *Client) Restore(ctx context.Context, in *RestoreInput) error {
	const op = "RestoreObject"
	switch {
	case in.Key == "":
		return inputError(op, in.Bucket, in.Key, "key is empty")
	case in.Days < 0:
		return inputError(op, in.Bucket, in.Key, "days are negative")
	case in.Tier != "" && !slices.Contains(RestoreTiers(), in.Tier):
		return inputError(op, in.Bucket, in.Key, "tier is not one of "+strings.Join(RestoreTiers(), ", "))
	}
	doc := `<RestoreRequest xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
	if in.Days > 0 {
		doc += "<Days>" + strconv.Itoa(in.Days) + "</Days>"
	}
	if in.Tier != "" {
		doc += "<GlacierJobParameters><Tier>" + in.Tier + "</Tier></GlacierJobParameters>"
	}
	k := &call{op: op, method: http.MethodPost, bucket: in.Bucket, key: in.Key, document: []byte(doc + "</RestoreRequest>"),
		params: query{{"restore", ""}}.add("versionId", in.VersionID), header: make(http.Header, 4), consume: discard}
	k.header["Content-Type"] = []string{"application/xml"}
	_, err := c.do(ctx, k)
	if e, ok := err.(*Error); ok && e.Code == "RestoreAlreadyInProgress" {
		return nil
	}
	return err
}

// RestoreState is what HEAD shows of the restore of an archived object.
type RestoreState struct {
	Ongoing bool
	Expires time.Time // when the temporary copy ends; zero if there is none
}

// RestoreState reads the header x-amz-restore.
func (info *ObjectInfo) RestoreState() RestoreState {
	s := RestoreState{Ongoing: strings.Contains(info.Restore, `ongoing-request="true"`)}
	if _, date, ok := strings.Cut(info.Restore, `expiry-date="`); ok {
		date, _, _ = strings.Cut(date, `"`)
		s.Expires = httpTime(date)
	}
	return s
}

// Archived reports whether the object must be restored before it can be read.
func (info *ObjectInfo) Archived() bool {
	archived := info.StorageClass == "GLACIER" || info.StorageClass == "DEEP_ARCHIVE" || info.ArchiveStatus != ""
	return archived && info.RestoreState().Expires.IsZero()
}
