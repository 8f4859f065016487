package listing

import (
	"fmt"
	"reflect"
	"testing"
)

func TestSpacing(t *testing.T) {
	for _, tc := range []struct {
		borders []string
		want    string
	}{
		{[]string{"a0999", "a1999", "a2999", "a3999"}, `"a" 4 digits of 10, tail "", step 1000, exact, full`},
		{[]string{"a00999.x", "a01999.x", "a02999.x", "a03999.x"}, `"a" 5 digits of 10, tail ".x", step 1000, exact`},
		{[]string{"s0999/", "s1999/", "s2999/", "s3999/"}, `"s" 4 digits of 10, tail "/", step 1000, exact, full`},
		{[]string{"0a9f-1", "1b00-2", "2c00-3", "3c00-3"}, `"" 4 digits of 16, tail "", step 4214, full`},
		{[]string{"f10", "f11", "f129", "f13"}, `"f" 3 digits of 10, tail "", step 10`},
		{[]string{"über-01", "über-02", "über-03", "über-04"}, `"über-" 2 digits of 10, tail "", step 1, exact`},
		{[]string{"é", "è", "ê", "ë"}, "none"},
		{[]string{"a1", "a2", "a3"}, "none"},
		{[]string{"a", "a", "a", "a"}, "none"},
		{[]string{"", "", "", ""}, "none"},
	} {
		got := "none"
		if g, ok := newSpacing(tc.borders); ok {
			got = fmt.Sprintf("%q %d digits of %d, tail %q, step %.0f", g.prefix, g.width, len(g.alphabet), g.tail, g.step)
			if g.exact {
				got += ", exact"
			}
			if g.full {
				got += ", full"
			}
			for i, b := range tc.borders {
				if name := g.name(g.value(b)); g.exact && name != b || g.value(name) != g.value(b) {
					t.Errorf("%q has the number %f, which is that of %q", b, g.value(b), name)
				}
				if i > 0 && g.value(b) < g.value(tc.borders[i-1]) {
					t.Errorf("the number of %q is below that of %q", b, tc.borders[i-1])
				}
			}
		}
		equal(t, fmt.Sprint(tc.borders), got, tc.want)
	}
}

// equal compares the values that a test is about.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
