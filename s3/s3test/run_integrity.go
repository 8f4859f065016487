package s3test

import (
	"bytes"

	"github.com/s3mount/s3mount/s3"
)

// testIntegrity is the row Integrity.
func testIntegrity(e *env) {
	e.run("modes", integrityModes)
	e.run("upload", func(e *env) { integrityUpload(e, func(*s3.Options) {}) })
	e.run("upload, CRC64NVME", func(e *env) {
		integrityUpload(e, func(o *s3.Options) { o.ChecksumAlgorithm = s3.CRC64NVME })
	})
	e.run("part", integrityPart)
	e.run("download", integrityDownload)
}

// integrityModes writes and reads with each setting.
func integrityModes(e *env) {
	for name, change := range map[string]func(*s3.Options){
		"CRC32C":    func(o *s3.Options) { o.ChecksumAlgorithm = s3.CRC32C },
		"CRC64NVME": func(o *s3.Options) { o.ChecksumAlgorithm = s3.CRC64NVME },
		"off":       func(o *s3.Options) { o.Checksums = s3.ChecksumOff },
	} {
		e.run(name, func(e *env) {
			if name != "off" {
				e.need(Checksums)
			}
			e.with(change)
			for _, size := range []int{0, 10, 3<<20 + 7} {
				e.put("k", string(pattern(size)))
				e.holds("k", string(pattern(size)))
			}
			body := pattern(s3.MinPartSize + 1)
			id := e.create("parts")
			e.complete(id, e.part(id, 1, body[:s3.MinPartSize]), e.part(id, 2, body[s3.MinPartSize:]))
			e.holds("parts", string(body))
			_, err := e.c.DeleteMulti(e.ctx, &s3.DeleteMultiInput{Bucket: e.bucket, Objects: []s3.ObjectID{{Key: "k"}}})
			e.ok("delete", err)
			e.absent("k")
		})
	}
}

// integrityUpload damages a body on its way to the server and checks that the stored
// object is right.
func integrityUpload(e *env, change func(*s3.Options)) {
	e.need(Checksums)
	f := &Faults{}
	e.with(func(o *s3.Options) {
		change(o)
		o.Transport = chain(o.Transport, f)
	})
	for _, size := range []int{1000, 2 << 20} {
		e.put("k", "warm") // the client now knows which checksums the server verifies
		f.Clear()
		f.Add(Rule{Match: OnKind("PutObject"), Fault: FlipRequest(200)})
		body := string(pattern(size))
		_, err := e.c.Put(e.ctx, e.putInput("k", []byte(body)))
		if f.Struck() != 1 {
			e.Fatalf("%d requests were damaged", f.Struck())
		}
		if err != nil {
			e.fails("damaged put", err, s3.ErrChecksum)
			e.holds("k", "warm")
			continue
		}
		e.holds("k", body)
	}
}

// integrityPart damages a part on its way to the server.
func integrityPart(e *env) {
	e.need(Checksums)
	f := NewFaults(Rule{Match: OnKind("UploadPart"), Fault: FlipRequest(200)})
	e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
	body := pattern(100_000)
	id := e.create("k")
	p, err := e.c.UploadPart(e.ctx, &s3.UploadPartInput{
		Upload: id, PartNumber: 1, Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	if err != nil {
		e.fails("damaged part", err, s3.ErrChecksum)
		e.ok("abort", e.c.AbortUpload(e.ctx, id))
		return
	}
	e.complete(id, *p)
	e.holds("k", string(body))
}

// integrityDownload damages a body on its way from the server: it is never taken for good.
func integrityDownload(e *env) {
	e.need(Checksums)
	f := &Faults{}
	e.with(func(o *s3.Options) { o.Transport = chain(o.Transport, f) })
	for _, size := range []int{1000, 2 << 20} {
		body := string(pattern(size))
		e.put("k", body)
		for _, at := range []int64{0, 500, int64(size) - 1} {
			f.Clear()
			f.Add(Rule{Match: OnKind("GetObject"), Fault: FlipAnswer(at)})
			var b bytes.Buffer
			_, _, err := e.c.GetTo(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"}, &b)
			if f.Struck() != 1 {
				e.Fatalf("%d answers were damaged", f.Struck())
			}
			if err != nil {
				e.fails("damaged get", err, s3.ErrChecksum)
			} else if b.String() != body {
				e.Errorf("byte %d of %d was changed, and nobody noticed", at, size)
			}
			f.Clear()
			f.Add(Rule{Match: OnKind("GetObject"), Fault: FlipAnswer(at)})
			p := make([]byte, size) // full with the last byte: nobody reads on
			_, n, err := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "k"}, p)
			if err != nil {
				e.fails("damaged get into a buffer", err, s3.ErrChecksum)
			} else if string(p[:n]) != body {
				e.Errorf("byte %d of %d was changed in a buffer, and nobody noticed", at, size)
			}
		}
	}
}
