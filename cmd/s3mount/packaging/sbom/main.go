// Command sbom writes the bill of materials of a Go program as CycloneDX JSON:
// every module that the Go tool has recorded in the binary, with its checksum.
// It needs no network, and the same binary gives the same text.
//
//	sbom BINARY >FILE
package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "sbom: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("say of which binary")
	}
	info, err := buildinfo.ReadFile(args[0])
	if err != nil {
		return fmt.Errorf("read what the binary is made of: %w", err)
	}
	encoder := cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON)
	encoder.SetPretty(true)
	if err := encoder.Encode(bomOf(info)); err != nil {
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	return nil
}

// bomOf lists the modules of a binary. It carries neither time nor serial
// number, which would be new each time.
func bomOf(info *debug.BuildInfo) *cdx.BOM {
	bom := cdx.NewBOM()
	main := component(&info.Main)
	main.Type = cdx.ComponentTypeApplication
	bom.Metadata = &cdx.Metadata{Component: &main}
	parts := []cdx.Component{{
		BOMRef: "pkg:golang/std@" + info.GoVersion, PackageURL: "pkg:golang/std@" + info.GoVersion,
		Type: cdx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion,
	}}
	needs := []string{parts[0].BOMRef}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		parts = append(parts, component(m))
		needs = append(needs, parts[len(parts)-1].BOMRef)
	}
	bom.Components = &parts
	bom.Dependencies = &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &needs}}
	return bom
}

// component describes one module.
// https://github.com/package-url/purl-spec/blob/main/types-doc/golang-definition.md
func component(m *debug.Module) cdx.Component {
	url := "pkg:golang/" + m.Path
	if m.Version != "" {
		url += "@" + strings.ReplaceAll(m.Version, "+", "%2B")
	}
	c := cdx.Component{BOMRef: url, PackageURL: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version}
	if m.Sum != "" { // of the module's files, as go.sum has it
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.Sum}}
	}
	return c
}
