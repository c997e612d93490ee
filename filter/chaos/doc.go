// Package chaos holds tests only: the whole daemon as a child process, a
// private Postfix in front of it, and faults in between.
//
// Each test sends numbered messages, makes a fault, and then accounts for
// every message that Postfix accepted: it must have arrived, be listed in the
// quarantine, or still be in Postfix's queue, and none that is to be blocked
// may have arrived. docs/tests.md maps the numbers F1 to F34 of the fault plan
// to the tests of this and of the other packages.
//
// It needs root, Debian's postfix package, loopback and, for small disks,
// mount(8). SEKISHO_CHAOS=deep (make chaos) multiplies the counts.
package chaos
