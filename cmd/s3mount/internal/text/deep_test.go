package text

import (
	"reflect"
	"testing"
	"time"
)

func TestDeep(t *testing.T) {
	type inner struct{ Name string }
	type Embedded struct{ Text string }
	type outer struct {
		Embedded
		When    time.Time
		List    []inner
		Names   map[string]inner
		Pointer *inner
		None    []inner
		Count   int
	}
	now := time.Now()
	bad, good := "\x1b", `\x1b`
	value := func(text string) outer {
		return outer{Embedded{text}, now, []inner{{text}}, map[string]inner{text: {text}}, &inner{text}, nil, 3}
	}
	v := value(bad)
	if got := Deep(v); !reflect.DeepEqual(got, value(good)) {
		t.Errorf("got %+v", got)
	}
	if !reflect.DeepEqual(v, value(bad)) {
		t.Error("the original was changed")
	}
}
