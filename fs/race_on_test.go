//go:build race

package fs

// raceDetector: everything takes several times as long, and so less is tried.
const raceDetector = true
