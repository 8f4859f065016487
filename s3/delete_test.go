package s3

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestDeleteMulti(t *testing.T) {
	var requests counter
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodDelete {
			requests.add("single " + r.URL.Path)
			return
		}
		requests.add("multi")
		if r.Header.Get("Content-Md5") != md5Base64(body) {
			t.Error("Content-MD5 is missing or wrong")
		}
		fmt.Fprint(w, "<DeleteResult>")
		parseXML(body, func(parent, name, text []byte) error {
			if string(name) != "Key" {
				return nil
			}
			key, _ := appendXMLText(nil, string(text))
			switch {
			case string(text) == "denied":
				fmt.Fprintf(w, "<Error><Key>%s</Key><Code>AccessDenied</Code><Message>no</Message></Error>", key)
			case string(text) == "absent":
				fmt.Fprintf(w, "<Error><Key>%s</Key><Code>NoSuchKey</Code></Error>", key)
			case string(text) == "silent":
			default:
				fmt.Fprintf(w, "<Deleted><Key>%s</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>v</DeleteMarkerVersionId></Deleted>", key)
			}
			return nil
		})
		fmt.Fprint(w, "</DeleteResult>")
	})
	in := &DeleteMultiInput{Bucket: "bucket"}
	for _, key := range []string{"a<&>b", "denied", "absent", "silent", "x\x01y"} {
		in.Objects = append(in.Objects, ObjectID{Key: key})
	}
	got, err := c.DeleteMulti(t.Context(), in)
	noError(t, err)
	wantIs(t, got[1].Err, ErrForbidden)
	wantIs(t, got[3].Err, errNoResult)
	for _, i := range []int{0, 2, 4} {
		noError(t, got[i].Err)
	}
	if got[0].Key != "a<&>b" || !got[0].DeleteMarker || got[0].DeleteMarkerVersionID != "v" || requests.get("single /bucket/x\x01y") != 1 {
		t.Errorf("got %+v", got)
	}
	in.Objects = nil
	for i := range 2500 {
		in.Objects = append(in.Objects, ObjectID{Key: strconv.Itoa(i)})
	}
	before := requests.get("multi")
	got, err = c.DeleteMulti(t.Context(), in)
	noError(t, err)
	if len(got) != 2500 || got[2499].Key != "2499" || requests.get("multi")-before != 3 {
		t.Errorf("%d results of %d requests", len(got), requests.get("multi")-before)
	}
}

// Keys that DeleteObjects reports as throttled are deleted by another request.
func TestDeleteMultiRepeatsThrottledKeys(t *testing.T) {
	var requests counter
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests.add("multi")
		fmt.Fprint(w, "<DeleteResult>")
		parseXML(body, func(_, name, text []byte) error {
			if string(name) == "Key" {
				requests.add(string(text))
				switch n := requests.get(string(text)); {
				case string(text) == "slow" && n < 3:
					fmt.Fprintf(w, "<Error><Key>%s</Key><Code>SlowDown</Code></Error>", text)
				case string(text) == "broken" && n < 2:
					fmt.Fprintf(w, "<Error><Key>%s</Key><Code>InternalError</Code></Error>", text)
				case string(text) == "never":
					fmt.Fprintf(w, "<Error><Key>%s</Key><Code>SlowDown</Code></Error>", text)
				default:
					fmt.Fprintf(w, "<Deleted><Key>%s</Key></Deleted>", text)
				}
			}
			return nil
		})
		fmt.Fprint(w, "</DeleteResult>")
	})
	in := &DeleteMultiInput{Bucket: "bucket", Objects: []ObjectID{{Key: "fine"}, {Key: "slow"}, {Key: "broken"}, {Key: "never"}}}
	got, err := c.DeleteMulti(t.Context(), in)
	noError(t, err)
	for _, r := range got[:3] {
		noError(t, r.Err)
	}
	wantIs(t, got[3].Err, ErrThrottled, ErrDeadline)
	if requests.get("fine") != 1 || requests.get("slow") != 3 || requests.get("broken") != 2 {
		t.Errorf("fine %d, slow %d, broken %d times", requests.get("fine"), requests.get("slow"), requests.get("broken"))
	}
}

// TestSingleDeletesOfATree checks that single deletes remove a marker after the objects
// below it, in any order of the keys.
func TestSingleDeletesOfATree(t *testing.T) {
	var mu sync.Mutex
	deleted := map[string]bool{}
	tree := []string{"t/", "t/d/", "t/d/e/", "t/f", "t/d/g", "t/d/e/h", "u"}
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodDelete {
			w.WriteHeader(http.StatusNotImplemented) // no DeleteObjects
			return
		}
		key := strings.TrimPrefix(r.URL.Path, "/bucket/")
		mu.Lock()
		defer mu.Unlock()
		for _, below := range tree {
			if below != key && strings.HasSuffix(key, "/") && strings.HasPrefix(below, key) && !deleted[below] {
				t.Errorf("%s was deleted before %s", key, below)
			}
		}
		deleted[key] = true
		w.WriteHeader(http.StatusNoContent)
	})
	in := &DeleteMultiInput{Bucket: "bucket"}
	for _, key := range tree {
		in.Objects = append(in.Objects, ObjectID{Key: key})
	}
	results, err := c.DeleteMulti(t.Context(), in)
	noError(t, err)
	for _, r := range results {
		noError(t, r.Err)
	}
	if len(deleted) != len(tree) {
		t.Errorf("%d of %d objects were deleted", len(deleted), len(tree))
	}
}
