/* SPDX-License-Identifier: Apache-2.0
 *
 * concurrency/rcu.h: what was unlinked is reclaimed two epochs after it was sealed, and no section
 * that could find it is open then. The other models take this for granted: in them an object is
 * reclaimed as soon as the sections are closed that were open when it was retired.
 *
 * One step is one access to the epoch, to an announcement or to the link. Memory is sequentially
 * consistent, so the second load of Enter has no effect here; `./paddock explore` is about orders.
 * Left out: merging of lists, idle CPUs' lists (they are sealed like others), nesting, stalls.
 * Property: in_use. An object that a section found is not reclaimed while the section is open.
 *
 *   READERS, SECTIONS, WRITERS, REMOVALS   how many, and how often each
 */
#include "common.pml"
#ifndef READERS
#define READERS 2
#endif
#ifndef SECTIONS
#define SECTIONS 2
#endif
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef REMOVALS
#define REMOVALS 3
#endif

#define QUIESCENT 0
#define OBJECTS (2 * WRITERS + 1)
#ifdef BROKEN_DUE_AT_NEXT_EPOCH
#define DUE(sealed) ((sealed) + 1)
#else
#define DUE(sealed) ((sealed) + 2)
#endif

PROPERTY(in_use)

byte epoch = 2;
byte announced[READERS];
byte link;                    /* the object that a section finds */
bool taken[OBJECTS];          /* linked, or retired and not reclaimed */
byte found[READERS];          /* ghost: 1 + the object that the section looks at */

inline reclaim(object) {
	d_step {
		reader = 0;
		do
		:: reader < READERS -> CHECK(in_use, found[reader] != 1 + object); reader++
		:: else -> break
		od;
		reader = 0;
		taken[object] = false
	}
}

/* RcuDomain::TryAdvance: whoever is in a section must have announced this epoch. */
inline try_advance() {
	seen = epoch;
#ifdef BROKEN_ADVANCES_WITHOUT_LOOKING
	reader = READERS;
#else
	reader = 0;
#endif
	do
	:: reader == READERS -> break
	:: reader < READERS && (announced[reader] == QUIESCENT || announced[reader] == seen) -> reader++
	:: reader < READERS && announced[reader] != QUIESCENT && announced[reader] != seen ->
		reader = READERS + 1; break
	od;
	if
#ifdef BROKEN_ADVANCES_BY_STORE
	:: reader == READERS -> epoch = seen + 1
#else
	:: reader == READERS -> d_step { if :: epoch == seen -> epoch = seen + 1 :: else fi }
#endif
	:: else
	fi;
	reader = 0; seen = 0
}

proctype Reader(byte me) {
	byte sections, mine;
	do
	:: sections < SECTIONS ->
#ifdef BROKEN_WALKS_BEFORE_ANNOUNCING
		found[me] = 1 + link;
#endif
		mine = epoch;
		announced[me] = mine; mine = 0;
#ifndef BROKEN_WALKS_BEFORE_ANNOUNCING
		found[me] = 1 + link;
#endif
#ifdef BROKEN_LEAVES_EARLY
		announced[me] = QUIESCENT;
		found[me] = 0;
#else
		found[me] = 0;               /* the last access */
		announced[me] = QUIESCENT;
#endif
		sections++
	:: else -> break
	od
}

proctype Writer() {
	byte removals, fresh, old, due, seen, reader;
	do
	:: removals < REMOVALS ->
		d_step {
			fresh = 0;
			do :: taken[fresh] -> fresh++ :: else -> break od;
			taken[fresh] = true
		};
#ifdef BROKEN_SEALS_BEFORE_UNLINKING
		due = DUE(epoch);
#endif
		d_step { old = link; link = fresh; fresh = 0 };
#ifndef BROKEN_SEALS_BEFORE_UNLINKING
		due = DUE(epoch);            /* SealEpoch */
#endif
		do
		:: epoch < due -> try_advance()
		:: epoch >= due -> break
		od;
		reclaim(old);
		old = 0; due = 0;
		removals++
	:: else -> break
	od
}

init {
	byte started;
	atomic {
		taken[0] = true;
		do :: started < READERS -> run Reader(started); started++ :: else -> break od;
		started = 0;
		do :: started < WRITERS -> run Writer(); started++ :: else -> break od;
		started = 0
	}
}
