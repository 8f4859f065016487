// Package daemon runs the process of a mount: its start in the background, its logs, its
// signals, the service manager and the monitoring.
//
// # Background
//
// A Go program cannot fork. To go to the background the command starts itself again
// with a pipe. The child does all the work from the checks on and reports over the
// pipe (Reporter); the parent waits for that report. So the command ends with a
// filesystem that answers, or with an error. The child stays in the
// process group of its parent until it has mounted, and becomes a session leader only
// then: the kernel lets only the process group of an automounter pass a mountpoint
// that is being mounted.
//
// # End
//
// SIGTERM and SIGINT write everything to S3 and then unmount. A second signal, or the
// end of --drain-timeout, reports what is lost and ends at once. An unmount by
// another program ends the process as well, after everything was written. The process
// notifies the service manager of the mount and of the progress of the end, and feeds its
// watchdog while the mount answers.
package daemon
