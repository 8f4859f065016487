package manual

import (
	"fmt"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// Entry is a command in the manual.
type Entry struct{ Name, Args, Usage string }

// Page returns the manual page. It is generated from the tables of commands, options,
// exit codes and topics, and has no date, so that the same source gives the same page.
func Page(commands []Entry) string {
	var p page
	p.line(`.TH S3MOUNT 8 "" "s3mount" "System Administration"`)
	p.section("NAME")
	p.text("s3mount, mount.s3mount - mount an S3 bucket as a filesystem")
	p.section("SYNOPSIS")
	p.line(`\fBs3mount\fR [\fIoptions\fR] \fIbucket\fR[:\fIprefix\fR] \fImountpoint\fR`)
	p.line(".br")
	p.line(`\fBs3mount\fR \-\-config \fIfile\fR [\fIname\fR]`)
	p.line(".br")
	p.line(`\fBmount \-t s3mount\fR [\-o \fIoptions\fR] \fIbucket\fR[:\fIprefix\fR] \fImountpoint\fR`)
	p.line(".br")
	p.line(`\fBs3mount\fR \fIcommand\fR [\fIarguments\fR]`)
	p.section("DESCRIPTION")
	p.text("s3mount mounts an S3 bucket as a filesystem. One file is one object with the same name and the same bytes.")
	p.line(".PP")
	p.text("It returns when the mount answers, and serves in the background. Unmount with umount(8), or as a user with fusermount3(1). The process then continues until S3 has everything. s3mount umount waits for that.")
	p.section("OPTIONS")
	p.text("Each option is also an environment variable, a name for -o and /etc/fstab, and a key of the configuration file: --log-file is S3MOUNT_LOG_FILE and log_file. The command line has precedence over the environment, and the environment over the file.")
	for _, group := range settings.OptionGroups() {
		p.line(`.SS "` + Roff(group.Name) + `"`)
		for _, o := range group.Options {
			p.option(o)
		}
	}
	p.section("COMMANDS")
	for _, c := range commands {
		p.line(".TP")
		p.line(strings.TrimSpace(`\fBs3mount ` + Roff(c.Name) + `\fR ` + Roff(c.Args)))
		p.text(c.Usage)
	}
	p.section("EXIT STATUS")
	for _, e := range exit.Codes() {
		p.line(".TP")
		p.line(fmt.Sprintf(`\fB%d\fR`, e.Code))
		p.text(e.Means)
	}
	p.line(".PP")
	p.text("mount.s3mount has the exit codes of mount(8).")
	p.files()
	for _, name := range Topics() {
		if name != exitTopic && name != optionsTopic {
			p.topic(name)
		}
	}
	p.section("SEE ALSO")
	p.text("mount(8), fstab(5), umount(8), fusermount3(1), mount.fuse3(8), systemd.mount(5)")
	return p.String()
}

// page builds a manual page.
type page struct{ strings.Builder }

// line adds a line of markup.
func (p *page) line(markup string) { p.WriteString(markup + "\n") }

// text adds a paragraph.
func (p *page) text(words string) { p.line(roffLine(words)) }

// section adds a heading.
func (p *page) section(name string) { p.line(".SH " + Roff(name)) }

// option adds an option with all its names.
func (p *page) option(o settings.Option) {
	p.line(".TP")
	names := `\fB` + Roff(strings.Join(o.Flags(), ", ")) + `\fR`
	if o.Arg != "" {
		names += ` \fI` + Roff(o.Arg) + `\fR`
	}
	p.line(names)
	p.text(strings.ToUpper(o.Usage[:1]) + o.Usage[1:] + ".")
	if d := o.DefaultText(); d != "" {
		p.text("The default is " + d + ".")
	}
	p.line(`Environment variable \fB` + Roff(o.Env()) + `\fR.`)
	if o.MountName != "" {
		p.line(`In fstab \fB` + Roff(o.MountName) + `\fR.`)
	}
}

// files adds the section about the files that s3mount reads and writes.
func (p *page) files() {
	p.section("FILES")
	for _, f := range [][2]string{
		{"/etc/s3mount/NAME.toml", "the configuration of the service s3mount@NAME"},
		{"/var/lib/s3mount, ~/.local/state/s3mount, for the service /var/lib/s3mount-service", "state that must survive the process: bytes that S3 refused, the journal, records of unfinished work"},
		{"~/.aws/config, ~/.aws/credentials", "credentials, region and endpoint in the format of the AWS tools"},
		{"/etc/fuse.conf", "the line user_allow_other lets users give --allow-other"},
	} {
		p.line(".TP")
		p.line(`\fI` + Roff(f[0]) + `\fR`)
		p.text(f[1])
	}
}

// topic adds a topic of s3mount help without changing its lines.
func (p *page) topic(name string) {
	text, err := TopicText(name)
	if err != nil {
		return // impossible: Topics returned the name
	}
	title, body, _ := strings.Cut(text, "\n\n")
	p.section(strings.ToUpper(name))
	p.text(title + ".")
	p.line(".PP")
	p.line(".nf")
	for l := range strings.Lines(body) {
		p.text(strings.TrimSuffix(l, "\n"))
	}
	p.line(".fi")
}

// Roff escapes the characters that troff would read as markup or replace by typographic
// ones.
func Roff(s string) string {
	return strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, `~`, `\(ti`, `^`, `\(ha`, "`", `\(ga`).Replace(s)
}

// roffLine escapes a whole line. A line must not begin like a request of troff.
func roffLine(s string) string {
	s = Roff(s)
	if strings.HasPrefix(s, ".") {
		return `\&` + s
	}
	return s
}
