// Package setup does what lies between the settings and a mount: it makes the local
// directories, finds credentials and endpoint, makes the client, and asks the bucket
// for its first listing.
//
// The first request is where most mistakes show. CheckBucket explains its failure in
// one line that names the cause and the remedy, and gives each kind an exit code.
// The doctor uses the same functions as a mount, so that its findings are true for
// a mount.
package setup
