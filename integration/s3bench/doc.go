// Package s3bench measures package s3 beside aws-sdk-go-v2/service/s3 and
// minio-go: the same work on the same versitygw in the same run.
//
//	cd integration && go test -run '^$' -bench . -count 3 ./s3bench
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
// service/s3 1.109.1, minio-go 7.4.1. Medians of three runs, of seven for
// get-8MiB. CPU is that of the client's process, user and system, in µs.
//
//	                            CPU             allocations               kB
//	row                    s3 aws-sdk  minio       s3 aws-sdk  minio       s3 aws-sdk  minio
//	head                  162     300    230       85     442    175        7      31     12
//	head-parallel         112     202    139       84     441    174        7      31     12
//	get-4KiB              168     336    210       90     473    194        8      33     14
//	get-4KiB-parallel     129     247    154       90     473    194        8      33     14
//	get-8MiB            3,463   3,685  3,335       90     473    194        8      33     14
//	get-8MiB-parallel   2,426   2,920  2,698       90     473    194        8      33     14
//	put-4KiB              259     424    411       95     510    252        8      41     93
//	put-4KiB-parallel     273     492    433       96     511    253        8      41     94
//	put-8MiB            4,911   7,318  5,344      112     515    378        9      72    332
//	put-8MiB-parallel   5,839   6,993  6,342      114     517    381       15      82    344
//	ls-1000             2,520  17,263 19,753    2,089  74,507 93,290      565   2,786  5,220
//	ls-1000-parallel    3,146  16,756 23,941    2,091  74,508 93,287      576   2,786  5,214
//
// To get 8 MiB costs what the kernel takes to copy them, for everyone: the
// differences there are noise. Time per operation is not in the table, for it
// is the server's.
package s3bench
