// Package soak lets programs work on mounts while everything around them fails,
// for as long as it is told, and then compares every byte.
//
//	go test ./soak                            20 seconds, as in make test
//	SOAK_TIME=2h go test -timeout 0 ./soak    as in make soak TIME=2h
//	SOAK_EVENTS=kill,lost,"full disk"         of the storm only these (storm.blow)
//
// Two mounts, one of each durability, stand before one server and a proxy.
// Workers, each a process of its own with files of its own, write, append,
// patch, truncate, rename, remove and read (worker_test.go). Meanwhile the storm
// breaks connections, loses answers, answers 503, stalls, restarts the server,
// and kills mounts with SIGKILL (storm_test.go). The disk of their state and cache
// becomes slow or full (disk_test.go), and their spools are too small anyway. The
// account's keys are replaced and the old ones refused: one mount finds the new
// ones in the shared file, the other asks a service, whose keys expire all the
// time (keys_test.go).
//
// A worker knows what a file holds after each success, and nothing after an
// error. At the end everything is healed, and each file that is known is
// compared, through the mount and in the bucket; all gauges are 0; memory,
// goroutines and file descriptors are within bounds, and every request of the
// kernel was answered in time.
//
// Before the storm fio and stress-ng run, where they are installed.
package soak
