// Package s3bench measures package s3 beside aws-sdk-go-v2/service/s3 and
// minio-go: the same work on the same versitygw in the same run, in some four
// minutes.
//
//	make bench-s3
//	cd integration && go test -run '^$' -bench . -count 3 ./s3bench        # the same
//	cd integration && go test -run '^$' -bench 'Benchmark/get-8MiB$' ./s3bench
//
// # Same work
//
// All three have transports with the same buffers and enough connections, make
// one request per operation, read into the caller's own buffer, and send the
// CRC32C of a body but not its SHA-256 (TestSameWork), which the peers, left
// alone, take over http.
//
// # Figures
//
// 22 November 2026, two busy processors of an AMD EPYC, Go 1.26.8, aws-sdk-go-v2
// service/s3 1.109.1, minio-go 7.4.1; medians of three runs. CPU is that of the
// client's process, user and system, in µs.
//
//	                            CPU             allocations               kB
//	row                    s3 aws-sdk  minio       s3 aws-sdk  minio       s3 aws-sdk  minio
//	head                  121     266    187       84     442    175        7      30     12
//	head-parallel          86     234    136       83     441    174        7      30     12
//	get-4KiB              195     338    243       90     473    194        8      32     13
//	get-4KiB-parallel     106     224    131       90     473    194        8      32     13
//	get-8MiB            2,235   4,310  4,188       90     473    194        8      32     13
//	get-8MiB-parallel   2,929   3,078  3,130       90     473    194        8      32     14
//	put-4KiB              268     540    555       95     510    252        8      41     91
//	put-4KiB-parallel     333     467    472       96     510    252        8      41     91
//	put-8MiB            4,464   8,617  5,621      112     515    378        9      70    322
//	put-8MiB-parallel   3,814   6,634  5,533      112     515    378       10      70    325
//	ls-1000             2,584  16,591 23,194    2,089  74,506 93,289      546   2,720  5,099
//	ls-1000-parallel    2,271  14,778 17,726    2,091  74,507 93,286      547   2,720  5,092
//
// To get 8 MiB costs what the kernel takes to copy them, and to be woken: the
// low-water mark of package s3's connections saves most of the latter where a
// reader keeps up with the line, less where four share two processors. To put
// 8 MiB costs the copy and the CRC32C, whose bytes package s3 fetches ahead.
// Time per operation is not in the table, for it is the server's.
package s3bench
