// Package entry holds the values that the packages below fs exchange: what is known
// of a name (Entry) with its kind and attributes, and a change of it (Change). It
// has no state and makes no request, and it imports no other package of this module.
//
// # Concepts
//
//   - An Entry is one name of the mount: a file or a directory with its key, its
//     version (ETag, size, Last-Modified) and its attributes. Entry.Exact says whether
//     the attributes were read from the object; otherwise they are Defaults.
//   - A directory is the prefix of the keys below it. A row is a child of a directory:
//     its rel is the key without that prefix. The rel of a subdirectory ends in "/".
//     The marker of a directory is the row with the empty rel in the directory itself.
//     Root splits a key into directory and rel.
//   - A Change is something that this mount did to a key, or saw of it.
//   - Packed values (PackedAttr, PackTime, SplitETag) are the same values in the
//     little space that caches and files need.
package entry
