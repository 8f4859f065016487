// Package text writes values for people: sizes, times, counts and lists, and
// strings that come from somewhere else.
//
// Names of objects, messages of servers, and everything that another user's mount
// says on its control socket may hold bytes that a terminal obeys. They reach a
// terminal only through Printable, Lines or JSON.
package text
