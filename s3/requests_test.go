package s3

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files in testdata")

// TestRequests compares the requests that each call sends with a golden file. The file
// does not contain the headers whose values differ in each run, such as the time and
// the signature. go test -update writes it.
func TestRequests(t *testing.T) {
	const golden = "testdata/requests.txt"
	var got strings.Builder
	for _, endpoint := range []string{"", "http://s3.test"} {
		c := newFakeClient(t, nil, func(o *Options) {
			o.Endpoint, o.Region = endpoint, "eu-west-1"
			o.Credentials = StaticCredentials("AKIDEXAMPLE", "secret", "")
			o.Transport = func(http.RoundTripper) http.RoundTripper { return recordRequests{t, &got} }
		})
		signedCalls(t.Context(), c, "bucket")
	}
	if *update {
		noError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	noError(t, err)
	gotParts, wantParts := strings.Split(got.String(), "\n\n"), strings.Split(string(want), "\n\n")
	if len(gotParts) != len(wantParts) {
		t.Errorf("the calls send %d requests, %s has %d (go test -update writes it)", len(gotParts)-1, golden, len(wantParts)-1)
	}
	for i := range min(len(gotParts), len(wantParts)) {
		if gotParts[i] != wantParts[i] {
			t.Errorf("request %d differs from %s (go test -update writes it)\n--- got\n%s\n--- want\n%s", i, golden, gotParts[i], wantParts[i])
		}
	}
}

// recordRequests writes each request to w and refuses it.
type recordRequests struct {
	t *testing.T
	w io.Writer
}

func (x recordRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	writeRequest(x.t, x.w, r)
	return answer(403, errorBody("AccessDenied")), nil
}

// writeRequest writes the request line, the headers in order, and an XML document.
func writeRequest(t *testing.T, w io.Writer, r *http.Request) {
	fmt.Fprintf(w, "%s %s://%s%s\n", r.Method, r.URL.Scheme, r.URL.Host, r.URL.RequestURI())
	var lines []string
	for name, values := range r.Header {
		switch name {
		case "Authorization", "X-Amz-Date", "User-Agent":
		default:
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		noError(t, err)
		if strings.HasPrefix(string(body), "<") {
			fmt.Fprintf(w, "%s\n", body)
		}
	}
	fmt.Fprintln(w)
}
