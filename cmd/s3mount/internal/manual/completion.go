package manual

import (
	"fmt"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// Shells returns the shells for which there is a completion.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// commandNames returns the words that can stand in the place of a bucket.
func commandNames(commands []Entry) []string {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	return names
}

// Bash returns the completion for bash. It completes by the word before the cursor.
// https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion.html
func Bash(commands []Entry) string {
	var b strings.Builder
	b.WriteString("# bash completion for s3mount, made by: s3mount completion bash\n_s3mount() {\n")
	b.WriteString("    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n")
	b.WriteString("    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n")
	b.WriteString("    [[ $cur == = ]] && cur=\n    compopt +o default\n    case $prev in\n")
	all := []string{"--help", "--version"}
	for _, o := range settings.Options() {
		all = append(all, o.Flags()...)
		if o.Arg == "" {
			continue
		}
		reply := "COMPREPLY=()"
		switch words := o.Choices(); {
		case words != nil:
			reply = `COMPREPLY=($(compgen -W "` + strings.Join(words, " ") + `" -- "$cur"))`
		case o.Arg == "FILE":
			reply = `COMPREPLY=($(compgen -f -- "$cur"))`
		case o.Arg == "DIR":
			reply = `COMPREPLY=($(compgen -d -- "$cur"))`
		}
		fmt.Fprintf(&b, "        %s) %s; return ;;\n", strings.Join(o.Flags(), "|"), reply)
	}
	fmt.Fprintf(&b, "        help) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n", strings.Join(Topics(), " "))
	fmt.Fprintf(&b, "        completion) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n", strings.Join(Shells(), " "))
	b.WriteString("    esac\n")
	fmt.Fprintf(&b, "    if [[ $cur == -* ]]; then\n        COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))\n", strings.Join(all, " "))
	fmt.Fprintf(&b, "    elif ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))\n", strings.Join(commandNames(commands), " "))
	b.WriteString("    else\n        COMPREPLY=($(compgen -d -- \"$cur\"))\n    fi\n}\ncomplete -o filenames -F _s3mount s3mount\n")
	return b.String()
}

// Zsh returns the completion for zsh, which uses its function _arguments.
// https://zsh.sourceforge.io/Doc/Release/Completion-System.html
func Zsh(commands []Entry) string {
	// The text is in single quotes, and some characters have a meaning for _arguments.
	escape := strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`).Replace
	var b strings.Builder
	b.WriteString("#compdef s3mount\n# made by: s3mount completion zsh\n_arguments -s \\\n")
	for _, o := range settings.Options() {
		for _, f := range o.Flags() {
			if o.Arg == "" {
				fmt.Fprintf(&b, "  '%s[%s]' \\\n", f, escape(o.Usage))
				continue
			}
			action := " "
			switch words := o.Choices(); {
			case words != nil:
				action = "(" + escape(strings.Join(words, " ")) + ")"
			case o.Arg == "FILE":
				action = "_files"
			case o.Arg == "DIR":
				action = "_files -/"
			}
			fmt.Fprintf(&b, "  '%s[%s]:%s:%s' \\\n", f, escape(o.Usage), o.Arg, action)
		}
	}
	fmt.Fprintf(&b, "  '--help[show the options]' \\\n  '--version[show the version]' \\\n")
	fmt.Fprintf(&b, "  '1:bucket:(%s)' \\\n  '2:mountpoint:_files -/'\n", strings.Join(commandNames(commands), " "))
	return b.String()
}

// Fish returns the completion for fish, with one line for each option.
// https://fishshell.com/docs/current/completions.html
func Fish(commands []Entry) string {
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
	var b strings.Builder
	b.WriteString("# fish completion for s3mount, made by: s3mount completion fish\n")
	b.WriteString("complete -c s3mount -f -n 'not __fish_is_first_token' -a '(__fish_complete_directories)'\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "complete -c s3mount -f -n __fish_is_first_token -a %s -d %s\n", c.Name, quote(c.Usage))
	}
	for _, o := range settings.Options() {
		b.WriteString("complete -c s3mount")
		for _, f := range o.Flags() {
			if name, long := strings.CutPrefix(f, "--"); long {
				b.WriteString(" -l " + name)
			} else {
				b.WriteString(" -s " + f[1:])
			}
		}
		b.WriteString(" -d " + quote(o.Usage))
		switch words := o.Choices(); {
		case o.Arg == "":
		case words != nil:
			b.WriteString(" -x -a " + quote(strings.Join(words, " ")))
		case o.Arg == "FILE":
			b.WriteString(" -r -F")
		case o.Arg == "DIR":
			b.WriteString(" -x -a '(__fish_complete_directories)'")
		default:
			b.WriteString(" -x")
		}
		b.WriteString("\n")
	}
	return b.String()
}
