/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for a granule: core/page_table/granule_lock.* and claim_queue.*, with the callers in
 * locking.h, for the granules of one node at a time, which is cut out and made anew meanwhile.
 *
 * The node lives in one of two slots. Whoever holds `parent` (the granule of the entry that points
 * to the node) may publish a node or, holding the node's granules too, cut it out. A slot is free
 * again as soon as the sections are closed that were open when its node was retired (rcu.pml). The
 * bucket's lock is a mutex (spin_lock.pml); what is visible only under it is one step with it.
 * A queue is the set of those who are queued, in the order of `since`.
 *
 * Properties: exclusion, release (of what is held), freed_node (nobody claims in a free slot),
 * granted_node (a granule is handed over in a node that is not cut out), mark (it agrees with the
 * queue while the bucket is free), queue_of_freed (nobody is queued at a slot that becomes free),
 * books (at the end nothing is held, queued or marked); nobody sleeps for ever (no invalid end
 * state); with ROUNDS=0, cursor 0 comes to its granule again and again (no non-progress cycle).
 *
 *   CURSORS, ROUNDS     2 or 3; how often each opens (0: again and again)
 *   WANT0, WANT1, WANT2 the granules that a cursor wants, bits of 1 and 2; CUTS: wants all, and cuts
 *   HELD0               cursor 0 waits in a node that it holds the parent of, as below a covering node
 *   HAND_OFF            0 never, 1 now and then, 2 to whoever is in the queue
 *   DEADLINES           set of cursors that may give up
 */
#include "common.pml"
#ifndef CURSORS
#define CURSORS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define CUTS 4
#ifndef WANT0
#define WANT0 CUTS
#endif
#ifndef WANT1
#define WANT1 1
#endif
#ifndef WANT2
#define WANT2 1
#endif
#ifndef HELD0
#define HELD0 0
#endif
#ifndef HAND_OFF
#define HAND_OFF 1
#endif
#ifdef BROKEN_NEVER_HANDS_OFF
#undef HAND_OFF
#define HAND_OFF 0
#endif
#ifndef DEADLINES
#define DEADLINES 0
#endif

#define SLOTS 2
#define ALL 3
#define NOBODY 255

#define FREE 0
#define LIVE 1
#define STRAY 2
#define RETIRED 3

#define WAITING 0
#define WOKEN 1
#define GRANTED 2

#define TAKEN 0
#define MISSED 1
#define GAVE_UP 2

PROPERTY(exclusion) PROPERTY(release) PROPERTY(freed_node) PROPERTY(granted_node) PROPERTY(mark)
PROPERTY(queue_of_freed) PROPERTY(books)

byte word[SLOTS];             /* lock words */
byte marks[SLOTS];
byte node_state[SLOTS];       /* `stray` is STRAY or RETIRED; the rest is ghost */
byte grace[SLOTS];            /* cursors whose section was open when the node was retired */
byte entry;                   /* 0 absent, else 1 + slot */
bool parent;
bool bucket;
byte sections;                /* set of cursors in a read-side section */
byte owner[SLOTS * 2];        /* ghost: 1 + cursor, of each granule */

byte since[CURSORS];          /* place in the order of waiting; 0 does not wait */
byte waiting;
bool queued[CURSORS];
byte queue_slot[CURSORS];
byte queue_bit[CURSORS];
byte state[CURSORS];
bool token[CURSORS];          /* of the CPU's parker */

hidden byte i, best, others;

inline own(slot, bits, who) {
	i = 0;
	do
	:: i < 2 -> if :: HAS(bits, i) -> owner[(slot) * 2 + i] = who :: else fi; i++
	:: else -> break
	od;
	i = 0
}
inline check_owner(property, slot, bits, who) {
	i = 0;
	do
	:: i < 2 -> CHECK(property, !HAS(bits, i) || owner[(slot) * 2 + i] == (who)); i++
	:: else -> break
	od;
	i = 0
}

/* TakeGranules: the free ones of `mask` below the first that is taken. */
inline take(mask) {
	CHECK(freed_node, node_state[node] != FREE);
	got = word[node] & (mask);
	got = (got == 0 -> (mask) : (mask) & (LOWEST(got) - 1));
	check_owner(exclusion, node, got, 0);
	word[node] = word[node] | got;
	own(node, got, 1 + me)
}

inline check_marks() {
	i = 0; others = 0;
	do
	:: i < CURSORS ->
		if :: queued[i] -> others = others | (queue_bit[i] << (2 * queue_slot[i])) :: else fi; i++
	:: else -> break
	od;
	CHECK(mark, others == (marks[0] | (marks[1] << 2)));
	i = 0; others = 0
}
/* The oldest in the queue of one of `bits` of `slot`. */
inline find_oldest(slot, bits) {
	i = 0; best = NOBODY;
	do
	:: i < CURSORS ->
		if
		:: queued[i] && queue_slot[i] == (slot) && (queue_bit[i] & (bits)) &&
		   (best == NOBODY || since[i] < since[best]) -> best = i
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}
/* Bucket::Remove. */
inline remove(who) {
	queued[who] = false;
	i = 0; others = 0;
	do
	:: i < CURSORS ->
		if :: queued[i] && queue_slot[i] == queue_slot[who] -> others = others | queue_bit[i] :: else fi;
		i++
	:: else -> break
	od;
	i = 0;
#ifdef BROKEN_REMOVE_FORGETS_OTHERS
	others = 0;
#endif
	if
	:: (others & queue_bit[who]) == 0 ->
		marks[queue_slot[who]] = marks[queue_slot[who]] & ~queue_bit[who]
	:: else
	fi;
	others = 0
}
inline lock_bucket() { d_step { !bucket -> bucket = true } }
inline unlock_bucket() { d_step { bucket = false; check_marks() } }

/* Bucket::Wake, under the bucket's lock: the oldest of each granule, or all. */
inline wake(slot, bits, all) {
	left = bits;
	do
	:: d_step {
		find_oldest(slot, left);
		if
		:: best == NOBODY -> left = 0; whom = NOBODY
		:: else ->
			whom = best;
			if :: all -> remove(whom) :: else -> left = left & ~queue_bit[whom] fi;
			state[whom] = WOKEN
		fi;
		best = 0
	   }
	   if
	   :: whom == NOBODY -> break
	   :: else -> token[whom] = true
	   fi
	od;
	whom = 0; left = 0
}
/* ClaimQueues::HandOff: gives granules of `bits` away; they are taken out of `bits`. */
inline hand_off(slot, bits) {
	lock_bucket();
	left = marks[slot] & bits;
	do
	:: left != 0 ->
		if
#if HAND_OFF > 0
		:: d_step {
			find_oldest(slot, LOWEST(left));
			whom = best; best = 0;
			if
			:: whom == NOBODY
			:: else ->
				CHECK(granted_node, node_state[slot] == LIVE);
				remove(whom);
				own(slot, LOWEST(left), 1 + whom);
#ifndef BROKEN_HANDED_GRANULES_ARE_CLEARED
				bits = bits & ~LOWEST(left);
#endif
				state[whom] = GRANTED
			fi
		   }
		   if :: whom != NOBODY -> token[whom] = true :: else fi
#endif
#if HAND_OFF < 2
		:: true            /* nobody has waited for long enough */
#endif
		fi;
		left = left & (left - 1); whom = 0
	:: else -> break
	od;
	unlock_bucket()
}

inline clear(slot, bits) {
#ifndef BROKEN_HANDED_GRANULES_ARE_CLEARED
	check_owner(release, slot, bits, 1 + me);
#endif
	CHECK(release, (word[slot] & (bits)) == (bits));
	word[slot] = word[slot] & ~(bits);
	own(slot, bits, 0)
}
/* ReleaseGranules; `gone` is scratch. */
inline release_granules(slot, bits) {
	gone = bits;
	wanted = marks[slot] & gone;
	if :: wanted != 0 -> hand_off(slot, gone) :: else fi;
#ifdef BROKEN_MARK_IS_READ_BEFORE_CLEARING
	wanted = marks[slot] & gone;
	d_step { clear(slot, gone) };
#else
	d_step { clear(slot, gone) };
	wanted = marks[slot] & gone;
#endif
	if
	:: wanted != 0 -> lock_bucket(); wake(slot, wanted, false); unlock_bucket()
	:: else
	fi;
	gone = 0; wanted = 0
}
/* ReleaseStrayGranules. */
inline release_stray(slot, bits) {
#ifdef BROKEN_STRAY_GRANULES_ARE_HANDED_OVER
	release_granules(slot, bits);
#else
	d_step { clear(slot, bits) };
	wanted = marks[slot] & (bits);
	if
#ifdef BROKEN_STRAY_WAKES_THE_OLDEST
	:: wanted != 0 -> lock_bucket(); wake(slot, wanted, false); unlock_bucket()
#else
	:: wanted != 0 -> lock_bucket(); wake(slot, wanted, true); unlock_bucket()
#endif
	:: else
	fi;
	wanted = 0
#endif
}

inline free_slot(slot) {
	CHECK(queue_of_freed, !(queued[0] && queue_slot[0] == slot));
	CHECK(queue_of_freed, !(queued[1] && queue_slot[1] == slot));
#if CURSORS > 2
	CHECK(queue_of_freed, !(queued[2] && queue_slot[2] == slot));
#endif
	CHECK(release, word[slot] == 0);
	node_state[slot] = FREE
}
inline leave_section() {
	d_step {
		sections = sections & ~BIT(me);
		others = 0;
		do
		:: others < SLOTS ->
			if
			:: node_state[others] == RETIRED && grace[others] != 0 ->
				grace[others] = grace[others] & ~BIT(me);
				if :: grace[others] == 0 -> free_slot(others) :: else fi
			:: else
			fi;
			others++
		:: else -> break
		od;
		others = 0
	}
}
inline retire(slot) {
	d_step {
		node_state[slot] = RETIRED; grace[slot] = sections;
		if :: sections == 0 -> free_slot(slot) :: else fi
	}
}

/* ClaimQueues::Enqueue. */
inline enqueue(granule) {
	d_step {
		!bucket ->
		if :: since[me] == 0 -> waiting++; since[me] = waiting :: else fi;
		queued[me] = true; queue_slot[me] = node; queue_bit[me] = granule; state[me] = WAITING;
#ifndef BROKEN_LOOKS_BEFORE_MARKING
		marks[node] = marks[node] | granule;
		check_marks()
#endif
	}
}
/* ClaimQueues::Withdraw; `last` is the state that it returns. */
inline withdraw(pass_on) {
	d_step { !bucket -> bucket = true; if :: queued[me] -> remove(me) :: else fi; last = state[me] };
#ifndef BROKEN_WAKE_UP_IS_NOT_PASSED_ON
	if :: pass_on && last == WOKEN -> wake(queue_slot[me], queue_bit[me], false) :: else fi;
#endif
	d_step { bucket = false; check_marks(); state[me] = WAITING; queue_slot[me] = 0; queue_bit[me] = 0 }
}
#ifdef BROKEN_LOOKS_AT_A_NODE_THAT_MAY_BE_GONE
#define MAY_LOOK(again) true
#else
#define MAY_LOOK(again) (again)
#endif
/* GranuleClaimer::Await. `again`: a claim of the caller's keeps the node; else only a section does,
 * which ends before the sleep. */
inline await(granule, again) {
	if
	:: d_step { (word[node] & granule) == 0 -> take(granule); outcome = TAKEN }       /* SpinFor */
	:: (word[node] & granule) != 0 ->
#ifdef BROKEN_LOOKS_BEFORE_MARKING
		(word[node] & granule) != 0;
#endif
		enqueue(granule);
#ifdef BROKEN_LOOKS_BEFORE_MARKING
		marks[node] = marks[node] | granule;
		slept = true;
		if :: !(again) -> leave_section() :: else fi;
#endif
		do
		:: true ->
			if
#ifdef BROKEN_LOOKS_BEFORE_MARKING
			:: d_step { (again) && last == WOKEN && (word[node] & granule) == 0 -> take(granule) };
#else
			:: d_step { (!slept || MAY_LOOK(again)) && (word[node] & granule) == 0 -> take(granule) };
#endif
				withdraw(false); outcome = TAKEN; break
			:: (slept && !MAY_LOOK(again)) || (word[node] & granule) != 0 || last == NOBODY
			fi;
#ifdef BROKEN_REARMS_AFTER_LOOKING
			if :: state[me] == WOKEN && (again) && slept -> state[me] = WAITING :: else fi;
#endif
			if :: !slept && !(again) -> leave_section() :: else fi;
			slept = true;
			in_time = true;
			do                                              /* IpiBus::WaitUntil */
			:: state[me] != WAITING -> break
			:: else ->
				if
				:: d_step { token[me] -> token[me] = false }
				:: HAS(DEADLINES, me) -> in_time = (state[me] != WAITING); break
				fi
			od;
			if
			:: state[me] == WOKEN && in_time && MAY_LOOK(again) ->
#ifdef BROKEN_REARMS_AFTER_LOOKING
				skip
#elif defined(BROKEN_REARMS_BY_STORE)
				state[me] = WAITING
#else
				d_step { if :: state[me] == WOKEN -> state[me] = WAITING :: else fi }   /* Rearm */
#endif
			:: else ->
				withdraw(true);
				if
				:: last == GRANTED ->
#ifdef BROKEN_DEADLINE_REFUSES_A_GRANT
					outcome = (in_time -> TAKEN : GAVE_UP);
#else
					outcome = TAKEN;
#endif
					got = granule
				:: last != GRANTED && in_time -> outcome = MISSED
				:: last != GRANTED && !in_time -> outcome = GAVE_UP
				fi;
				break
			fi
		od;
		slept = false; in_time = false; last = 0
	fi
}

/* The range is held: the place in the order of waiting is given up. */
inline opened() {
	d_step {
		check_owner(exclusion, node, mask, 1 + me);
		CHECK(freed_node, node_state[node] == LIVE);
		i = 0;
		do
		:: i < CURSORS ->
			if :: since[me] != 0 && since[i] > since[me] -> since[i]-- :: else fi; i++
		:: else -> break
		od;
		i = 0;
		if :: since[me] != 0 -> waiting--; since[me] = 0 :: else fi
	};
	if :: me == 0 -> progress: skip :: else fi
}
inline gave_up() {
	d_step {
		i = 0;
		do
		:: i < CURSORS ->
			if :: since[me] != 0 && since[i] > since[me] -> since[i]-- :: else fi; i++
		:: else -> break
		od;
		i = 0;
		if :: since[me] != 0 -> waiting--; since[me] = 0 :: else fi
	}
}
/* GranuleClaimer::ClaimAll; on GAVE_UP nothing of `mask` is held. */
inline claim_all(bits) {
	held = bits; outcome = TAKEN;
	do
	:: held != mask ->
		d_step { take(mask & ~held); held = held | got; got = 0 };
		if
		:: held == mask
		:: else ->
			await(LOWEST(mask & ~held), true);
			if
			:: outcome == TAKEN -> held = held | LOWEST(mask & ~held); got = 0
			:: else ->
				if :: held != 0 -> release_granules(node, held) :: else fi;
				break
			fi
		fi
	:: else -> break
	od;
	held = 0
}

/* A cursor whose range lies in the node: RangeLock::Descend, ClaimFirst, ClaimCovering. */
proctype Cursor(byte me; byte mask) {
	byte round, node, got, outcome, last, left, whom, gone, wanted, held;
	bool slept, in_time;
	do
	:: ROUNDS == 0 || round < ROUNDS ->
restart:
		sections = sections | BIT(me);
		node = entry;
		if
		:: node == 0 ->                              /* make the node */
			d_step { !parent -> parent = true };
			if
			:: entry != 0 -> parent = false; node = 0; goto restart
			:: else ->
				d_step {
					node = 0;
					do :: node < SLOTS && node_state[node] != FREE -> node++ :: else -> break od;
					if
					:: node < SLOTS -> node_state[node] = LIVE; word[node] = mask;
						own(node, mask, 1 + me); entry = 1 + node
					:: else
					fi
				};
				leave_section();
				parent = false;
				if :: node == SLOTS -> gave_up(); goto closed :: else fi
			fi
		:: else ->
			node--;
			d_step { take(mask); held = got; got = 0 };
			if
			:: held == 0 ->
				await(LOWEST(mask), false);
				if
				:: outcome == MISSED -> node = 0; outcome = TAKEN; leave_section(); goto restart
				:: outcome == GAVE_UP -> leave_section(); gave_up(); goto closed
				:: outcome == TAKEN -> held = LOWEST(mask); got = 0
				fi;
				sections = sections | BIT(me)
			:: else
			fi;
			if
#ifdef BROKEN_STRAY_IS_NOT_CHECKED
			:: false
#else
			:: node_state[node] != LIVE ->
				release_stray(node, held);
				held = 0; node = 0;
				leave_section();
				goto restart
#endif
			:: else
			fi;
			leave_section();
			claim_all(held);
			if :: outcome != TAKEN -> gave_up(); goto closed :: else fi
		fi;
		opened();
		release_granules(node, mask);
closed:
		node = 0; outcome = TAKEN; got = 0; held = 0;
		if :: ROUNDS != 0 -> round++ :: else fi
	:: else -> break
	od
}

/* A cursor whose range covers the entry of the node: it holds `parent`, claims all of the node
 * (RangeLock::ClaimBelow), and cuts it out (AbandonSubtree) or lets it be. */
proctype Cutter(byte me) {
	byte round, node, got, outcome, last, left, whom, gone, wanted, held;
	byte mask = ALL;
	bool slept, in_time;
	do
	:: ROUNDS == 0 || round < ROUNDS ->
		d_step { !parent -> parent = true };
		if
		:: entry == 0
		:: else ->
			node = entry - 1;
			claim_all(0);
			if
			:: outcome == TAKEN ->
				opened();
				if
				:: !HELD0 ->
					entry = 0;
					node_state[node] = STRAY;
					release_stray(node, ALL);
					retire(node)
				:: HELD0 -> release_granules(node, ALL)
				fi
			:: else -> gave_up()
			fi
		fi;
		parent = false;
		node = 0; outcome = TAKEN; got = 0; held = 0;
		if :: ROUNDS != 0 -> round++ :: else fi
	:: else -> break
	od
}

init {
	atomic {
#if HELD0
		node_state[0] = LIVE; entry = 1;
#endif
#if WANT0 == CUTS
		run Cutter(0);
#else
		run Cursor(0, WANT0);
#endif
#if WANT1 == CUTS
		run Cutter(1);
#else
		run Cursor(1, WANT1);
#endif
#if CURSORS > 2
#if WANT2 == CUTS
		run Cutter(2);
#else
		run Cursor(2, WANT2);
#endif
#endif
	}
	_nr_pr == 1;
	d_step {
		CHECK(books, word[0] == 0 && word[1] == 0 && marks[0] == 0 && marks[1] == 0);
		CHECK(books, waiting == 0 && sections == 0 && !bucket && !parent);
		CHECK(books, node_state[0] != RETIRED && node_state[1] != RETIRED)
	}
}
