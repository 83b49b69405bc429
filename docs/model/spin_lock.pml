/* SPDX-License-Identifier: Apache-2.0
 *
 * concurrency/spin_lock.h: a lock of one word whose waiters spin, then sleep on the word.
 *
 * One step is one access to the word, or what the system does at once: comparing the word and
 * falling asleep. Wake-ups without a cause are left out, since they would hide one that is missing.
 * Properties: exclusion; nobody sleeps for ever (no invalid end state).
 *
 *   THREADS, ROUNDS   how many, and how often each takes the lock
 */
#include "common.pml"
#ifndef THREADS
#define THREADS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif

#define FREE 0
#define HELD 1
#define CONTENDED 2

PROPERTY(exclusion)

byte word;
byte owners;
bool asleep[THREADS];

inline wake_one() {
	atomic {
		if
		:: asleep[0] -> asleep[0] = false
		:: asleep[1] -> asleep[1] = false
#if THREADS > 2
		:: asleep[2] -> asleep[2] = false
#endif
#if THREADS > 3
		:: asleep[3] -> asleep[3] = false
#endif
		:: else
		fi
	}
}

/* The system compares the word and puts the thread to sleep in one step. */
inline wait_on_word() {
	if
#ifdef BROKEN_SLEEPS_WITHOUT_LOOKING
	:: asleep[_pid] = true; !asleep[_pid]
#else
	:: d_step { word == CONTENDED -> asleep[_pid] = true }; !asleep[_pid]
	:: word != CONTENDED
#endif
	fi
}

inline lock() {
	if
#ifdef BROKEN_TEST_THEN_SET
	:: word == FREE -> word = HELD
#else
	:: d_step { word == FREE -> word = HELD }              /* TakeFree */
#endif
	:: word != FREE ->                                     /* the spinning ends */
		do
#ifdef BROKEN_SLEEPER_TAKES_AS_HELD
		:: d_step { before = word; word = (before == FREE -> HELD : CONTENDED) }
#else
		:: d_step { before = word; word = CONTENDED }
#endif
			if :: before == FREE -> break :: else fi;
			wait_on_word()
		od
	fi;
	before = 0
}

inline unlock() {
#ifdef BROKEN_UNLOCKS_BY_LOAD_AND_STORE
	before = word;
	word = FREE;
#else
	d_step { before = word; word = FREE };
#endif
	if :: before == CONTENDED -> before = 0; wake_one() :: else -> before = 0 fi
}

active [THREADS] proctype Thread() {
	byte round, before;
	do
	:: round < ROUNDS ->
		lock();
		owners++;
		CHECK(exclusion, owners == 1);
		owners--;
#ifdef BROKEN_WAKES_BEFORE_FREEING
		if :: word == CONTENDED -> wake_one() :: else fi;
		word = FREE;
#else
		unlock();
#endif
		round++
	:: else -> break
	od
}
