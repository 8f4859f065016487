package answers

// families are the system calls that are asked, each with its cases.
var families = []struct {
	name  string
	cases func(*reporter)
}{
	{"path", pathCases},
	{"chmod", chmodCases},
	{"chown", chownCases},
	{"truncate", truncateCases},
	{"mkdir", func(r *reporter) { makeCases(r, dir) }},
	{"mkfifo", func(r *reporter) { makeCases(r, fifo) }},
	{"mknod", func(r *reporter) { makeCases(r, char, block, socket) }},
	{"symlink", func(r *reporter) { makeCases(r, symlink) }},
	{"create", func(r *reporter) { makeCases(r, file) }},
	{"open", openCases},
	{"link", linkCases},
	{"rename", renameCases},
	{"rmdir", rmdirCases},
	{"unlink", unlinkCases},
	{"utimensat", utimensatCases},
	{"fallocate", fallocateCases},
}
