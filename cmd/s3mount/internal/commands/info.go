package commands

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

// maxURLTime is the longest time for which S3 accepts a presigned URL.
const maxURLTime = 7 * 24 * time.Hour

func infoCommand() Command {
	c := Command{
		Name: "info", Args: "PATH...", Usage: "show the objects behind files",
		about: `Shows for each path in a mount the key of its object, the ETag, the version, the
size, the storage class, the encryption, the checksums, the headers, the user
metadata, the tags, the state of a restore, and whether the mount has changes
that S3 does not hold. With --url it also prints a URL with which anybody can
read the object for that time, at most 7 days. With --json it prints one object
per path, one on a line. Extended attributes do not show the same, because the
kernel would ask for them in each ls -l.`,
	}
	c.Run = func(in settings.Invocation, args []string) error {
		asJSON, valid := false, time.Duration(0)
		rest, done, err := c.parse(in, args, []settings.Option{switchOption("json", "print JSON", &asJSON),
			{Name: "url", Arg: "TIME", Usage: "also print a URL that is valid for TIME, such as 1h",
				Value: func(*settings.Settings) flag.Value { return settings.Duration(&valid) }}})
		if err != nil || done {
			return err
		}
		if valid != 0 && valid < time.Second || valid > maxURLTime {
			return exit.Errorf(exit.Usage, "--url %s: want a time from 1s to 168h", valid)
		}
		if len(rest) == 0 {
			return exit.Errorf(exit.Usage, "name the files: s3mount %s %s", c.Name, c.Args)
		}
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
		defer stop()
		return eachPath(rest, func(path string) error {
			var o control.Object
			if err := atPath(path, func(client *control.Client, below string) (err error) {
				o, err = client.Object(ctx, below, valid)
				return err
			}); err != nil {
				return err
			}
			if asJSON {
				return in.PrintJSON(o)
			}
			return in.Print("%s", describeObject(path, o))
		})
	}
	return c
}

// eachPath calls do for every path. It goes on after an error, and returns all of them.
func eachPath(paths []string, do func(path string) error) error {
	var errs []error
	for _, path := range paths {
		if err := do(path); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return oneLine(errors.Join(errs...))
}

// atPath calls do with a client of the mount that contains path, and with the path relative
// to the mountpoint. It follows symbolic links in all but the last name.
func atPath(path string, do func(client *control.Client, below string) error) error {
	m := machine.This()
	at, err := m.MountOf(path)
	if err != nil {
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find the current directory: %w", err)
	}
	if abs != at.Mountpoint {
		dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
		if err != nil {
			return exit.Errorf(exit.Failure, "%w", err)
		}
		abs = filepath.Join(dir, filepath.Base(abs))
		if at, err = m.MountOf(abs); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(abs); err != nil { // permissions are those of this user
		return err
	}
	below, err := filepath.Rel(at.Mountpoint, abs)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if below == "." {
		below = ""
	}
	client, err := dial(at)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := do(client, below); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// describeObject returns the lines about one object.
func describeObject(path string, o control.Object) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %s\t%s\n", name, text.OneLine(value))
		}
	}
	line("key", o.Key)
	line("bucket", o.Bucket)
	if o.Unsaved {
		line("unsaved", "the mount has changes that S3 does not hold")
	}
	if !o.Exists {
		line("object", "none in S3")
	} else {
		line("size", fmt.Sprintf("%d bytes (%s)", o.Size, text.Size(o.Size)))
		describeProperties(o, line)
	}
	line("URL", o.URL)
	for _, name := range slices.Sorted(maps.Keys(o.Send)) {
		line("URL needs", "the header "+name)
	}
	_ = w.Flush() // to memory
	return text.OneLine(path) + " (" + o.Kind + ")\n" + b.String()
}

// describeProperties passes the properties that S3 shows to line.
func describeProperties(o control.Object, line func(name, value string)) {
	line("ETag", o.ETag)
	line("version", o.Version)
	if o.Modified != nil {
		line("modified", o.Modified.Local().Format(time.RFC3339))
	}
	line("class", o.Class)
	switch {
	case o.Restoring:
		line("archive", "a restore is under way")
	case o.Archived:
		line("archive", "archived: s3mount restore makes it readable")
	case o.Restored != nil:
		line("archive", "restored until "+o.Restored.Local().Format(time.RFC3339))
	}
	if e := o.Encrypted; e != nil {
		words := []string{e.Algorithm, e.KeyID}
		if e.BucketKey {
			words = append(words, "with a bucket key")
		}
		line("encryption", strings.TrimSpace(strings.Join(words, " ")))
	}
	for _, group := range []struct {
		name   string
		values map[string]string
	}{{"checksum", o.Checksums}, {"header", o.Headers}, {"metadata", o.Metadata}, {"tag", o.Tags}} {
		for _, name := range slices.Sorted(maps.Keys(group.values)) {
			separator := ": "
			if group.name == "tag" || group.name == "metadata" {
				separator = "="
			}
			line(group.name, name+separator+group.values[name])
		}
	}
}
