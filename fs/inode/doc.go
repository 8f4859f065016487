// Package inode is the state of one inode as a state machine: what the mount knows of
// its object, and whether it has its name. It makes no request and takes no lock; the
// caller holds the lock of the inode.
//
// # Name
//
//	          Unlink
//	Linked ───────────▶ Unlinked   a removal or a rename took the name
//	   │      Cut
//	   ├──────────────▶ Cut        the name has another inode: another client wrote it,
//	   │                           or its removal failed half way
//	   │      Vanish
//	   └──────────────▶ Ghost      it could not be saved, and S3 never had it
//
// No inode gets its name back: a name that is found again is another inode. A rename
// changes the key and not the name state.
//
// # Content
//
//	       Committed            Committed, Copied, Seen, Replaced
//	New ───────────────▶ Stored ──┐
//	 ▲ │                   ▲ ▲    │
//	 │ └─ Rekeyed, over an ┘ └────┘
//	 │    object
//	 └─── Rekeyed
//
// S3 holds no object of a new inode. Learn is the only function that takes over a
// version; its cause is the edge of the diagram. Unsaved bytes lie over the entry, in
// a file that the caller has; Learn is told whether there are some. It ignores an answer
// to a question that was asked before the last version of this mount was made.
//
// # Attributes
//
// The attributes of an inode may be newer than those of its object. It then owes them to
// S3 (Owe), until a commit carries them (Carried), a copy stores them (Settle) or S3
// refuses them (Refuse). Versions that are learned meanwhile do not change them.
//
// # Invariants
//
//   - The key changes only by Copied and Rekeyed, and only while the inode is linked.
//     Afterwards only Hidden changes it, to the key that keeps the bytes.
//   - The epoch grows with each commit, and never for a version of another client.
//   - Pages is the ETag of a version with the bytes that the kernel may hold.
//   - A state is a value without pointers. It can be compared, and be written down for
//     another process.
package inode
