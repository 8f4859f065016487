// Package text formats values for people: sizes, times, counts, lists and foreign strings.
//
// Names of objects, messages of servers and the answers of mounts of other users may
// contain control characters. They reach a terminal only through Printable, Lines or JSON.
package text
