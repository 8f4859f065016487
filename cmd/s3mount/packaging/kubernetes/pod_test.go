// Package kubernetes holds a pod that uses s3mount, and the test of it.
package kubernetes

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"gopkg.in/yaml.v3"
)

// object is what the test looks at of a Kubernetes object.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
		Volumes                       []struct{ Name string }
		InitContainers                []container `yaml:"initContainers"`
		Containers                    []container
	}
}

type container struct {
	RestartPolicy   string                    `yaml:"restartPolicy"`
	SecurityContext struct{ Privileged bool } `yaml:"securityContext"`
	VolumeMounts    []struct {
		Name             string
		MountPropagation string `yaml:"mountPropagation"`
	} `yaml:"volumeMounts"`
}

// TestPod checks what the sidecar stands and falls with: it comes first and
// ends last, and its mount goes over into the other container.
func TestPod(t *testing.T) {
	text, err := os.ReadFile("pod.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []object
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	if len(all) != 2 || all[0].Kind != "Pod" || all[1].Kind != "Secret" {
		t.Fatalf("%+v", all)
	}
	pod := all[0].Spec
	if len(pod.InitContainers) != 1 || len(pod.Containers) != 1 || pod.TerminationGracePeriodSeconds < 60 {
		t.Fatalf("%+v", pod)
	}
	side, program := pod.InitContainers[0], pod.Containers[0]
	if side.RestartPolicy != "Always" || !side.SecurityContext.Privileged ||
		side.VolumeMounts[0].MountPropagation != "Bidirectional" || program.VolumeMounts[0].MountPropagation != "HostToContainer" ||
		side.VolumeMounts[0].Name != program.VolumeMounts[0].Name {
		t.Errorf("the sidecar %+v, the program %+v", side, program)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, m := range append(side.VolumeMounts, program.VolumeMounts...) {
		if !volumes[m.Name] {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
}
