// Package soak contains programs that work on mounts while something fails, and
// that check afterwards what the promises P1 to P5 and P10 say.
//
//	go test ./soak                            the short form, as in make test
//	SOAK_TIME=2h go test -timeout 0 ./soak    the full form, as in make soak TIME=2h
//	SOAK_SEED=17                              repeat the random choices of a run
//	SOAK_EVENTS=kill,lost,"full disk"         the storm has only these events (storm.blow)
//	SOAK_RESULTS=FILE                         write the table of the results as JSON
//
// Each program prints its seed. At the end a table shows the kills, the faults, the
// acknowledged operations, the verified histories and the violations.
//
// # Kills
//
// TestCrash kills a mount at a random request, once per round and in each
// durability. Often it kills the following mounts too, while they replay. Mutators,
// which are processes of their own, record each operation on the local disk before
// and after it (mutator_test.go). After each remount the tree must be the one that
// the history leads to. An operation in flight has happened or not. The only tolerance
// is that a file may have both names in the middle of a rename (P5).
//
// # Several mounts
//
// TestShared lets clients on two and three mounts use the same files. It checks
// that each register is linearizable (register_test.go), that each acknowledged
// append is there once, that a lock file has one owner, that an O_EXCL name has one
// creator, and that another mount sees changes in their order (order_test.go).
//
// # Network
//
// TestNetwork injects 503, 500, resets, lost and cut answers, slow bodies and
// delays, and compares the trees with the histories. Then it flips bits in the bodies
// of GET: a read returns the right bytes or EIO.
//
// # Everything at once
//
// TestSoak lets two mounts, one of each durability, work behind one server and a
// proxy. Workers write, append, patch, truncate, rename, remove and read files of
// their own (worker_test.go). Meanwhile the storm breaks connections, loses answers,
// answers 503, stalls, restarts the server, and kills mounts (storm_test.go). The
// disk of their state and cache becomes slow or full (disk_test.go), and their spools
// are too small. The keys of the account are replaced and the old ones refused: one
// mount finds the new ones in the shared file, the other asks a service
// (keys_test.go). A worker knows the content of a file after each success, and
// nothing after an error. At the end each known file is compared, through the mount
// and in the bucket; all gauges are 0; memory, goroutines and file descriptors are
// within bounds; and every request of the kernel was answered in time. Before the
// storm fio and stress-ng run, where they are installed.
package soak
