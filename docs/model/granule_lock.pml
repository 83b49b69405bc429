/* SPDX-License-Identifier: Apache-2.0
 *
 * core/page_table/granule_lock.h: the locks of a node's granules, which move from bits of one word
 * into the entries while others look for them.
 *
 * One step is one access to the word, to the word of what has moved, or to an entry. Whether two
 * CPUs meet in the word, so that a lock moves, is free. Waiting for a granule is a guard
 * (claim_queue.pml is about that).
 *
 * Properties: exclusion; release (what is released is held, where it is looked for); books (at the
 * end nothing is held); nobody waits for ever (no invalid end state).
 *
 *   CURSORS, ROUNDS   how many, and how often each claims; what it claims is free
 *   GRANULES          2 or 3
 */
#include "common.pml"
#ifndef CURSORS
#define CURSORS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef GRANULES
#define GRANULES 3
#endif

#define ALL (BIT(GRANULES) - 1)
#define BELOW(bit) ((bit) - 1)
#define SINGLE(bits) (LOWEST(bits) == (bits))

PROPERTY(exclusion) PROPERTY(release) PROPERTY(books)

byte word, moved, claimed;     /* `claimed`: the claim bits of the entries */
byte owned;                    /* ghost */
byte done;

/* A claim bit of an entry that has moved away is never looked at; one of `bits` is the caller's. */
inline clear() {
	known = moved;
	bits = known & held;
	do
	:: bits != 0 ->
		d_step { CHECK(release, (claimed & LOWEST(bits)) != 0); claimed = claimed & ~LOWEST(bits) };
		bits = bits & ~LOWEST(bits)
	:: else -> break
	od;
	bits = held & ~known;
	if
	:: bits != 0 -> atomic { CHECK(release, (word & bits) == bits); word = word & ~bits }
	:: else
	fi;
	held = 0
}
inline say_moved() {
	moved = moved | want
}
inline move() {
#ifdef BROKEN_SAYS_BEFORE_CLAIMING
	say_moved();
	claimed = claimed | want;
	word = word & ~want
#else
	claimed = claimed | want;
#ifdef BROKEN_CLEARS_BEFORE_SAYING
	word = word & ~want;
	say_moved()
#else
	say_moved();
	word = word & ~want
#endif
#endif
}
/* TakeAllGranules: `held` is `want` or empty. */
inline take_all() {
	known = moved;
	if
	:: (known & want) != 0 && SINGLE(want) ->
		d_step { held = want & ~claimed; claimed = claimed | want }
	:: (known & want) != 0 && !SINGLE(want)
	:: (known & want) == 0 ->
		d_step { held = ((word & want) == 0 -> want : 0); word = word | held };
		if
		:: held == 0
		:: held != 0 ->
#ifdef BROKEN_NOT_ASKED_UNDER_THE_BIT
			known = 0;
#else
			known = moved;
#endif
			bits = known & want;
			if
			:: bits != 0 ->
				word = word & ~bits;
				held = want & ~bits;
				if :: held != 0 -> clear() :: else fi
			:: bits == 0 && SINGLE(want) -> move()
			:: bits == 0 && known == 0              /* met nobody */
			:: bits == 0 && !SINGLE(want)
			fi
		fi
	fi
}
/* TakeGranules, as often as it takes: TakeLowest until all is held. */
inline take() {
	do
	:: held == want -> break
	:: else ->
		lowest = LOWEST(want & ~held);
		known = moved & want & ~held;
		if
		:: (known & lowest) != 0 ->
			atomic { (claimed & lowest) == 0 -> claimed = claimed | lowest; held = held | lowest }
		:: else ->
			bits = (known == 0 -> want & ~held : want & ~held & BELOW(LOWEST(known)));
			d_step {
				got = word & bits;
				bits = (got == 0 -> bits : bits & BELOW(LOWEST(got)));
				word = word | bits;
				got = 0
			};
			if
			:: bits == 0 ->                             /* IsHeld */
				((moved & lowest) != 0 || (word & lowest) == 0)
			:: else ->
				known = moved & bits;
				if
				:: known == 0 -> held = held | bits
				:: else ->
					word = word & ~known;
					got = bits & BELOW(LOWEST(known));
#ifndef BROKEN_KEEPS_THOSE_ABOVE
					bits = bits & ~(known | got);
					if :: bits != 0 -> word = word & ~bits :: else fi;
#endif
					held = held | got;
					got = 0
				fi
			fi
		fi
	od
}

active [CURSORS] proctype Cursor() {
	byte round, want, held, known, bits, lowest, got;
	do
	:: round < ROUNDS ->
		select (want : 1 .. ALL);
		if
		:: take_all()
		:: true
		fi;
		take();
		atomic { CHECK(exclusion, (owned & want) == 0); owned = owned | want };
		owned = owned & ~want;
		clear();
		atomic { want = 0; known = 0; bits = 0; lowest = 0 };
		round++
	:: else -> break
	od;
	done++;
	if
	:: done == CURSORS -> CHECK(books, word == 0 && claimed == 0)
	:: else
	fi
}
