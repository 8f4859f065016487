package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The paths of the requests about one object.
const (
	pathObject  = "/v1/object"
	pathRestore = "/v1/restore"
)

// Object describes the object behind a path of the mount.
type Object struct {
	Path      string            `json:"path"` // relative to the mountpoint
	Bucket    string            `json:"bucket"`
	Key       string            `json:"key"`
	Kind      string            `json:"kind"`    // file, directory, symlink and so on
	Exists    bool              `json:"exists"`  // S3 holds the object
	Unsaved   bool              `json:"unsaved"` // the mount has changes that S3 does not hold
	Size      int64             `json:"size"`
	ETag      string            `json:"etag,omitempty"`
	Version   string            `json:"version,omitempty"`
	Modified  *time.Time        `json:"modified,omitempty"`
	Class     string            `json:"storage_class,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"` // Content-Type and so on
	Encrypted *Encryption       `json:"encryption,omitempty"`
	Checksums map[string]string `json:"checksums,omitempty"` // base64 values by algorithm
	Metadata  map[string]string `json:"metadata,omitempty"`  // user metadata
	Tags      map[string]string `json:"tags,omitempty"`
	Archived  bool              `json:"archived"` // it must be restored before it can be read
	Restoring bool              `json:"restoring,omitempty"`
	Restored  *time.Time        `json:"restored_until,omitempty"`
	URL       string            `json:"url,omitempty"`         // presigned
	Send      map[string]string `json:"url_headers,omitempty"` // headers that a request to URL must have
}

// Encryption describes how S3 encrypts an object.
type Encryption struct {
	Algorithm string `json:"algorithm"` // as in x-amz-server-side-encryption, or SSE-C
	KeyID     string `json:"kms_key_id,omitempty"`
	BucketKey bool   `json:"bucket_key,omitempty"`
}

// Objects answers the requests about objects. A path is relative to the mountpoint.
type Objects interface {
	// Describe returns what S3 and the mount know of an object, with a URL that is valid
	// for the time given if that is not 0.
	Describe(ctx context.Context, path string, valid time.Duration) (Object, error)
	// Restore starts to restore an archived object, unless that is not needed.
	Restore(ctx context.Context, path string, days int, tier string) (Object, error)
}

// objectAnswer is the answer to a request about an object.
type objectAnswer struct {
	Object Object `json:"object"`
	Error  string `json:"error,omitempty"`
}

// describe serves pathObject.
func (s *Server) describe(w http.ResponseWriter, r *http.Request) {
	valid, err := time.ParseDuration(r.FormValue("valid"))
	if err != nil {
		answerObject(w, Object{}, errors.New("the time is not valid"))
		return
	}
	o, err := s.o.Objects.Describe(r.Context(), r.FormValue("path"), valid)
	answerObject(w, o, err)
}

// restore serves pathRestore.
func (s *Server) restore(w http.ResponseWriter, r *http.Request) {
	days, err := strconv.Atoi(r.FormValue("days"))
	if err != nil {
		answerObject(w, Object{}, errors.New("the number of days is not valid"))
		return
	}
	o, err := s.o.Objects.Restore(r.Context(), r.FormValue("path"), days, r.FormValue("tier"))
	answerObject(w, o, err)
}

func answerObject(w http.ResponseWriter, o Object, err error) {
	a := objectAnswer{Object: o}
	if err != nil {
		a.Error = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // an error means that the client has gone
}

// Object asks for the object of a path, and for a URL of it if valid is not 0.
func (c *Client) Object(ctx context.Context, path string, valid time.Duration) (Object, error) {
	return c.object(ctx, http.MethodGet, pathObject, url.Values{"path": {path}, "valid": {valid.String()}})
}

// Restore asks to restore an archived object.
func (c *Client) Restore(ctx context.Context, path string, days int, tier string) (Object, error) {
	return c.object(ctx, http.MethodPost, pathRestore, url.Values{"path": {path}, "days": {strconv.Itoa(days)}, "tier": {tier}})
}

func (c *Client) object(ctx context.Context, method, path string, query url.Values) (Object, error) {
	body, err := c.ask(ctx, method, path+"?"+query.Encode())
	if err != nil {
		return Object{}, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = errTooLong
	}
	var a objectAnswer
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	switch {
	case err != nil:
		return Object{}, fmt.Errorf("read the mount's answer: %w", err)
	case a.Error != "":
		return Object{}, &MountError{Message: a.Error}
	}
	return a.Object, nil
}
