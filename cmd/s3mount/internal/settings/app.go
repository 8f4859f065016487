package settings

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

// helpTemplate is the text of --help. Tabs align the columns.
const helpTemplate = `s3mount mounts an S3 bucket as a filesystem.

Usage:
  s3mount [options] bucket[:prefix] mountpoint     (or s3://bucket/prefix)
  s3mount command [arguments]

Commands:
{{range .Metadata.commands}}  {{.}}
{{end}}{{range .VisibleFlagCategories}}{{if .Name}}
{{.Name}}:
{{range .Flags}}  {{.}}
{{end}}{{end}}{{end}}  --help, --version	show this text (-h) or the version (-V)

Each option is also an environment variable (such as S3MOUNT_LOG_FILE) and a
name for -o. s3mount finds credentials where the AWS tools do. To unmount, run
umount MOUNTPOINT.
s3mount help options describes all options, s3mount help lists the topics.
`

// Invocation is a call of the command.
type Invocation struct {
	Args   []string // as os.Args
	Lookup func(string) (string, bool)
	Stdout io.Writer

	Version  string   // of the program
	Commands []string // lines of the help text

	// The other fields are set by ParseHelper, for mount(8).
	fake   bool // check the command line, mount nothing
	sloppy bool // ignore unknown names in -o
}

// Parse reads settings from the configuration file, the environment and the command line, in
// this order; a later value wins. It returns nil settings if nothing is left to do, as after
// --help.
func Parse(in Invocation) (*Settings, error) {
	flags, args, err := FlagsFirst(Options(), in.Args[1:])
	if err != nil {
		return nil, err
	}
	// --help and --version work even if the command line is wrong or incomplete.
	if AsksFor(flags, "version", "V") {
		return nil, in.Print("s3mount %s\n", in.Version)
	}
	if AsksFor(flags, "help", "h") {
		return nil, in.ShowHelp()
	}
	s := Defaults()
	s.Version, s.Fake, s.sloppy = in.Version, in.fake, in.sloppy
	if path := ConfigPath(flags, in.Lookup); path != "" {
		config, err := readConfig(path)
		if err != nil {
			return nil, err
		}
		if args, err = config.choose(s, args); err != nil {
			return nil, err
		}
	}
	app := newApp(s, in)
	app.Action = func(*cli.Context) error { return s.SetArguments(args) }
	if err := app.Run(append(in.Args[:1:1], flags...)); err != nil {
		return nil, usageError(err)
	}
	return s, s.check()
}

// newApp binds the table of options to s.
func newApp(s *Settings, in Invocation) *cli.App {
	return &cli.App{
		Metadata:              map[string]any{"commands": in.Commands},
		Name:                  "s3mount",
		Usage:                 "mount an S3 bucket as a filesystem",
		Flags:                 newFlags(s, in.Lookup),
		CustomAppHelpTemplate: helpTemplate,
		HideHelpCommand:       true,
		HideVersion:           true,
		Writer:                in.Stdout,
		ErrWriter:             io.Discard, // main prints the error
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return exit.Errorf(exit.Usage, "%s; see s3mount --help", doubleDash(err.Error()))
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
}

// AsksFor reports whether args contain one of the flags.
func AsksFor(args []string, names ...string) bool {
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") && slices.Contains(names, strings.TrimLeft(arg, "-")) {
			return true
		}
	}
	return false
}

// usageError adds the exit code for wrong usage to an error of the cli package.
func usageError(err error) error {
	if exit.Code(err) != exit.Failure {
		return err
	}
	return exit.Errorf(exit.Usage, "%w", err)
}

// doubleDash writes the names of options with two dashes; the flag package writes -region for
// --region. It removes -o lists, because they may contain a secret by mistake.
func doubleDash(message string) string {
	const list = " for flag -o: "
	if i := strings.Index(message, list); i >= 0 {
		return "-o: " + message[i+len(list):]
	}
	words := strings.Split(message, " ")
	for i, w := range words {
		name := strings.TrimRight(strings.TrimPrefix(w, "-"), ":")
		if strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "--") && len(name) > 1 {
			words[i] = "-" + w
		}
	}
	return strings.Join(words, " ")
}

// ShowHelp writes the text of --help.
func (in Invocation) ShowHelp() error {
	app := newApp(Defaults(), in)
	app.Action = func(c *cli.Context) error { return cli.ShowAppHelp(c) }
	return app.Run([]string{"s3mount", "--help"})
}

// Print writes the output of a command. A terminal obeys none of it.
func (in Invocation) Print(format string, args ...any) error {
	_, err := io.WriteString(in.Stdout, text.Lines(fmt.Sprintf(format, args...)))
	return err
}

// PrintJSON prints a value as indented JSON.
func (in Invocation) PrintJSON(v any) error {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return in.Print("%s\n", text.JSON(out))
}
