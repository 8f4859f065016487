// Package progress shows the progress of an operation that writes or reads many bytes.
//
// On a terminal a Display redraws a few lines: a sentence with a bar of the whole,
// and a bar for each of the first files. Elsewhere it writes the sentence once a
// minute, because a log keeps every line. All commands and the end of a mount use
// the same Display.
package progress
