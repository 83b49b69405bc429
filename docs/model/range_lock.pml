/* SPDX-License-Identifier: Apache-2.0
 *
 * The range lock: core/page_table/locking.h with the changes that cursors make under it
 * (cursor_map.inc.h, cursor_unmap.inc.h, node.h). Three levels of two entries: pages 0 to 7.
 *
 * One step is one access that others can notice: a load without a claim, a claim, an entry, the
 * occupancy word, a release. What is read under a claim does not change and is part of the next
 * step. Waiting for a granule is a guard (claim_queue.pml is about that); a first claim may also
 * sleep outside of the section and start again. Nodes come from a small pool; one that was cut out
 * is free again as soon as the sections are closed that were open when it was retired (rcu.pml).
 *
 * Properties: exclusion (overlapping cursors never work at the same time); claim (whoever stores an
 * entry holds its granule, in a live node); freed_node (nobody uses a node that is free); release
 * (exactly what is held goes back); occupancy (under a claim it says whether the granule holds
 * entries); books (with no cursor open nothing is held, and the live nodes are those that the root
 * reaches); no deadlock (no invalid end state).
 *
 *   CURSORS, LOOKUPS  2 or 3 cursors, and lock-free walks of page 0, again and again
 *   OPENS             how often each cursor opens (0: again and again)
 *   MENU              what they do, see below     POOL   nodes beside the root
 *   PER_GRANULE       entries in a granule, 1 or 2
 *   TRIES             set of cursors that may give up at a claim   SLEEPS 1: first claims may sleep
 *   REACH             set of cursors of which it is to be shown that they work at the same time
 */
#include "common.pml"
#ifndef CURSORS
#define CURSORS 2
#endif
#ifndef LOOKUPS
#define LOOKUPS 0
#endif
#ifndef OPENS
#define OPENS 0
#endif
#ifndef MENU
#define MENU 1
#endif
#ifndef POOL
#define POOL 4
#endif
#ifndef PER_GRANULE
#define PER_GRANULE 1
#endif
#ifndef TRIES
#define TRIES 0
#endif
#ifndef SLEEPS
#define SLEEPS 1
#endif
#ifndef REACH
#define REACH 0
#endif

#define TOP 3
#define NODES (POOL + 1)
#define USERS (CURSORS + LOOKUPS)
#define ALL (PER_GRANULE == 1 -> 3 : 1)

/* A node of level l spans 2^l pages, an entry of it 2^(l-1). */
#define INDEX(page, l) (((page) >> ((l) - 1)) & 1)
#define START(page, l) (((page) >> (l)) << (l))
#define LAST(page, l) (START(page, l) + BIT(l) - 1)
#define GRANULE(page, l) BIT(INDEX(page, l) / PER_GRANULE)
#define LARGER(a, b) ((a) > (b) -> (a) : (b))
#define SMALLER(a, b) ((a) < (b) -> (a) : (b))
/* The granules that the cursor's range touches in the node of level l around the page. */
#define MASK(page, l) (GRANULE(LARGER(from, START(page, l)), l) | GRANULE(SMALLER(to, LAST(page, l)), l))
#define EXACT(l) (from == START(from, (l) - 1) && to == LAST(from, (l) - 1))
#define STAYS(l) ((l) == 1 || INDEX(from, l) != INDEX(to, l) || (!LOW && EXACT(l)))

#define ABSENT 0
#define LEAF 1
#define TABLE(n) (2 + (n))
#define IS_TABLE(e) ((e) >= 2)
#define CHILD(e) ((e) - 2)
#define ENTRY(n, index) entry[(n) * 2 + (index)]
#define HELD(who, n) held[(who) * NODES + (n)]

#define FREE 0
#define LIVE 1
#define STRAY 2
#define RETIRED 3

/* Operations. */
#define READ 0
#define MAP 1
#define HUGE 2
#define UNMAP 3
#define MAP_LOW 4
#define UNMAP_LOW 5
#define LOW (op >= MAP_LOW)
#define MAPS (op == MAP || op == HUGE || op == MAP_LOW)
#define UNMAPS (op == UNMAP || op == UNMAP_LOW)

PROPERTY(exclusion) PROPERTY(claim) PROPERTY(freed_node) PROPERTY(release) PROPERTY(occupancy)
PROPERTY(books) PROPERTY(meeting)

byte entry[NODES * 2];
byte lock_word[NODES];
byte occupied[NODES];
byte node_state[NODES];      /* `stray` is STRAY or RETIRED; the rest is ghost */
byte grace[NODES];           /* of a retired top: users whose section was open then */
byte sections;
byte stands_on[USERS];       /* the node that only a section keeps for the user; 0 is the root */
/* Ghosts. */
byte held[CURSORS * NODES];
byte range_from[CURSORS];
byte range_to[CURSORS];
byte working, open, lost;    /* sets of cursors; `lost`: stand on a node that was freed */

hidden byte i, j, x, y, z, q, e, got, more, wide;

/* -------- nodes -------- */

inline free_one(node) {
	CHECK(release, lock_word[node] == 0);
	i = 0;
	do
	:: i < USERS -> if :: stands_on[i] == node -> lost = lost | BIT(i) :: else fi; i++
	:: else -> break
	od;
	i = 0;
	node_state[node] = FREE; occupied[node] = 0
}
/* NodeMeta::Drop: what the occupied granules hold goes too. Level 1 nodes hold no tables. */
inline free_tree(node) {
	j = 0;
	do
	:: j < 2 ->
		if
		:: HAS(occupied[node], j / PER_GRANULE) && IS_TABLE(ENTRY(node, j)) ->
			z = CHILD(ENTRY(node, j));
			ENTRY(z, 0) = ABSENT; ENTRY(z, 1) = ABSENT;
			free_one(z)
		:: else
		fi;
		ENTRY(node, j) = ABSENT; j++
	:: else -> break
	od;
	j = 0;
	free_one(node)
}
inline retire(node) {
#ifdef BROKEN_NO_GRACE_PERIOD
	grace[node] = 0;
#else
	grace[node] = sections;
#endif
	node_state[node] = RETIRED;
	if :: grace[node] == 0 -> free_tree(node) :: else fi
}
inline leave_section(who) {
	sections = sections & ~BIT(who); stands_on[who] = 0; lost = lost & ~BIT(who);
	y = 1;
	do
	:: y < NODES ->
		if
		:: node_state[y] == RETIRED && HAS(grace[y], who) ->
			grace[y] = grace[y] & ~BIT(who);
			if :: grace[y] == 0 -> free_tree(y) :: else fi
		:: else
		fi;
		y++
	:: else -> break
	od;
	y = 0
}
inline check_alive(who, node) { CHECK(freed_node, !HAS(lost, who) && node_state[node] != FREE) }

/* A node from the pool, TABLE(it) in `e`, or ABSENT if there is none. */
inline new_table(content, claimed) {
	e = 1;
	do :: e < NODES && node_state[e] != FREE -> e++ :: else -> break od;
	if
	:: e == NODES -> e = ABSENT
	:: else ->
		node_state[e] = LIVE;
		ENTRY(e, 0) = content; ENTRY(e, 1) = content;
#ifdef BROKEN_SPLIT_LEAVES_OCCUPANCY
		occupied[e] = 0;
#else
		occupied[e] = (content == ABSENT -> 0 : ALL);
#endif
		lock_word[e] = claimed; HELD(me, e) = claimed;
		e = TABLE(e)
	fi
}

/* -------- claims -------- */

#ifdef BROKEN_TAKES_ABOVE_A_TAKEN_GRANULE
#define IS_FREE(node, bits) (((bits) & ~lock_word[node]) != 0)
#else
#define IS_FREE(node, bits) ((lock_word[node] & LOWEST(bits)) == 0)
#endif
/* TakeGranules. */
inline take(node, bits) {
	got = lock_word[node] & (bits);
#ifdef BROKEN_TAKES_ABOVE_A_TAKEN_GRANULE
	got = (bits) & ~got;
#else
	got = (got == 0 -> (bits) : (bits) & (LOWEST(got) - 1));
#endif
	lock_word[node] = lock_word[node] | got;
	HELD(me, node) = HELD(me, node) | got
}
inline let_go(node, bits) {
	CHECK(release, (HELD(me, node) & (bits)) == (bits) && (lock_word[node] & (bits)) == (bits));
	i = 0;
	do
	:: i < 2 ->
		CHECK(occupancy, !HAS(bits, i) || (HAS(occupied[node], i) ==
			(ENTRY(node, i * PER_GRANULE) != ABSENT || ENTRY(node, i * PER_GRANULE + PER_GRANULE - 1) != ABSENT)));
		i++
	:: else -> break
	od;
	i = 0;
	lock_word[node] = lock_word[node] & ~(bits);
	HELD(me, node) = HELD(me, node) & ~(bits)
}

/* The next node below the covering one, in preorder: (x, y) is a node and its level, q a page of it
 * in the range. Reads what the cursor has claimed. more == 0: there is none. */
inline next_node() {
	more = 2;
	do
	:: more < 2 -> break
	:: more == 2 && y == 1 -> q = LAST(q, 1) + 1; more = 3
	:: more == 2 && y > 1 ->
		e = ENTRY(x, INDEX(q, y));
		if
#ifdef BROKEN_TABLES_BELOW_ARE_NOT_CLAIMED
		:: IS_TABLE(e) && HAS(occupied[x], INDEX(q, y) / PER_GRANULE) && q == from ->
#else
		:: IS_TABLE(e) && HAS(occupied[x], INDEX(q, y) / PER_GRANULE) ->
#endif
			x = CHILD(e); y--; more = 1
		:: else -> q = LAST(q, y - 1) + 1; more = 3
		fi
	:: more == 3 && q > to -> more = 0
	:: more == 3 && q <= to ->            /* the node around q, as high as q began it */
		do :: y < top && q == START(q, y) -> y++ :: else -> break od;
		x = covering; z = top;
		do :: z > y -> x = CHILD(ENTRY(x, INDEX(q, z))); z-- :: else -> break od;
		more = 2
	od
}

/* A store: the granule is held, the node is live, and no other worker is near. */
inline check_store(node, page, level) {
	CHECK(claim, node_state[node] == LIVE && (HELD(me, node) & GRANULE(page, level)) != 0);
	i = 0;
	do
	:: i < CURSORS ->
		CHECK(exclusion, i == me || !HAS(working, i) ||
			range_to[i] < START(page, (level) - 1) || range_from[i] > LAST(page, (level) - 1));
		i++
	:: else -> break
	od;
	i = 0
}
/* Node::Occupy and Node::Vacate: an atomic operation on a word that holders of other granules
 * change too. */
inline occupy(node, bits) {
	if
	:: (occupied[node] & (bits)) != 0
	:: else ->
#ifdef BROKEN_OCCUPIES_BY_LOAD_AND_STORE
		scratch = occupied[node];
		occupied[node] = scratch | (bits); scratch = 0
#else
		occupied[node] = occupied[node] | (bits)
#endif
	fi
}
#if PER_GRANULE == 1
#define IS_EMPTY(node, page, l) (ENTRY(node, INDEX(page, l)) == ABSENT)
#elif defined(BROKEN_VACATES_A_USED_GRANULE)
#define IS_EMPTY(node, page, l) true
#else
#define IS_EMPTY(node, page, l) (ENTRY(node, 0) == ABSENT && ENTRY(node, 1) == ABSENT)
#endif
inline vacate(node, page, level) {
#ifndef BROKEN_NEVER_VACATES
	if
	:: IS_EMPTY(node, page, level) -> occupied[node] = occupied[node] & ~GRANULE(page, level)
	:: else
	fi
#else
	skip
#endif
}

inline begin(a, b, what) {
	from = a; to = b; op = what; range_from[me] = a; range_to[me] = b; open = open | BIT(me);
	opened++
}
#if OPENS > 0
#define MAY_OPEN (opened < OPENS)
#define COUNTED opened
#else
#define MAY_OPEN true
#define COUNTED 0
#endif
#define OPTION(cursors, a, b, what) :: d_step { MAY_OPEN && HAS(cursors, me) -> begin(a, b, what); opened = COUNTED }

/* With nothing open, nothing is held and the live nodes are those that the root reaches. */
inline check_books() {
	x = 0; more = 1;
	do
	:: x < 2 ->
		e = ENTRY(0, x);
		if
		:: IS_TABLE(e) ->
			more++; y = 0;
			do
			:: y < 2 -> if :: IS_TABLE(ENTRY(CHILD(e), y)) -> more++ :: else fi; y++
			:: else -> break
			od
		:: else
		fi;
		x++
	:: else -> break
	od;
	x = 0; z = 0;
	do
	:: x < NODES ->
		CHECK(books, lock_word[x] == 0 && (sections != 0 || node_state[x] <= LIVE));
		z = z + (node_state[x] == LIVE); x++
	:: else -> break
	od;
	CHECK(books, z == more)
}
inline closed() {
	i = 0;
	do :: i < NODES -> CHECK(release, HELD(me, i) == 0); i++ :: else -> break od;
	i = 0;
	working = working & ~BIT(me); open = open & ~BIT(me); range_from[me] = 0; range_to[me] = 0;
	from = 0; to = 0; op = 0; n = 0; l = 0; p = 0; rest = 0; covering = 0; top = 0; count = 0; mask = 0;
	if :: HAS(sections, me) -> leave_section(me) :: else fi;
	if :: open == 0 -> check_books() :: else fi
}

/* AbandonSubtree: stray goes on in each node before a granule of it is released; the children of the
 * top let go before it does. `cut` is the top, or 0. */
inline abandon_one(node) {
	CHECK(claim, HELD(me, node) == ALL && node_state[node] == LIVE);
#ifndef BROKEN_STRAY_AFTER_RELEASE
	node_state[node] = STRAY;
#endif
	let_go(node, ALL)
}
inline abandon() {
	scratch = 0;
	do
	:: scratch < 2 ->
		if
		:: d_step {
			HAS(occupied[cut], scratch / PER_GRANULE) && IS_TABLE(ENTRY(cut, scratch)) ->
			abandon_one(CHILD(ENTRY(cut, scratch)))
		   }
#ifdef BROKEN_STRAY_AFTER_RELEASE
			node_state[CHILD(ENTRY(cut, scratch))] = STRAY
#endif
		:: !HAS(occupied[cut], scratch / PER_GRANULE) || !IS_TABLE(ENTRY(cut, scratch))
		fi;
		scratch++
	:: else -> break
	od;
	scratch = 0;
	d_step { abandon_one(cut) };
	d_step { node_state[cut] = STRAY; retire(cut); cut = 0 }
}

/* The bits still wanted of (n, l) are `rest`; the next claim, or work. */
inline descend_or_work() {
	if
	:: more -> n = x; l = y; p = q; rest = MASK(q, y);
#ifdef BROKEN_EMPTY_GRANULES_ARE_NOT_CLAIMED
		rest = (l > 1 && (occupied[n] & rest) != 0 -> rest & occupied[n] : rest)
#endif
	:: else -> n = 0; l = 0; p = from; rest = 0
	fi;
	x = 0; y = 0; q = 0
}
/* The first granule of a node that only the section keeps: RangeLock::ClaimFirst. Goes to `restart`
 * if the node was cut out, or if the cursor slept. */
inline claim_first(bits) {
	if
	:: d_step {
		IS_FREE(n, bits) ->
		check_alive(me, n);
		take(n, bits);
		rest = (bits) & ~got; got = 0
	   }
#if SLEEPS
	:: d_step {
		!IS_FREE(n, bits) -> check_alive(me, n); leave_section(me)
	   }
		IS_FREE(n, bits);
		n = 0; l = 0; goto restart
#endif
#if TRIES
	:: d_step { HAS(TRIES, me) && !IS_FREE(n, bits) -> check_alive(me, n); closed() }
		goto next
#endif
	fi;
	if
#ifdef BROKEN_STRAY_IS_NOT_CHECKED
	:: false -> goto restart
#elif defined(BROKEN_STRAY_IS_NOT_CHECKED_ON_CREATION)
	:: d_step { node_state[n] >= STRAY && (STAYS(l) || ENTRY(n, INDEX(from, l)) != ABSENT) ->
#else
	:: d_step { node_state[n] >= STRAY ->
#endif
#ifndef BROKEN_STRAY_IS_NOT_CHECKED
		check_alive(me, n); let_go(n, (bits) & ~rest); rest = 0; n = 0; l = 0; leave_section(me)
	   }
		goto restart
#endif
	:: else
	fi
}

/* What to do at the page p next: (x, y) is the node that decides it. */
#define NOTHING 0
#define STORE 1          /* over an absent entry */
#define REPLACE 2        /* a leaf by a leaf */
#define CLEAR 3          /* a leaf */
#define CUT 4            /* a table, for a leaf (HUGE) or for nothing */
#define MAKE 5           /* a table of absent entries */
#define SPLIT 6          /* a leaf into a table of leaves */
inline decide() {
	x = covering; y = top; count = NOTHING;
	do
	:: count != NOTHING || p > to -> break
	:: else ->
		CHECK(freed_node, node_state[x] == LIVE);
		CHECK(claim, (HELD(me, x) & GRANULE(p, y)) != 0);
		e = ENTRY(x, INDEX(p, y));
		more = (START(p, y - 1) >= from && LAST(p, y - 1) <= to);       /* the entry is inside */
		if
		:: op == READ -> p = to + 1
		:: op == HUGE && y == 2 && IS_TABLE(e) -> count = CUT
		:: op == HUGE && y == 2 && e == LEAF -> count = REPLACE
		:: op == HUGE && y == 2 && e == ABSENT -> count = STORE
		:: op == HUGE && y > 2 && e == ABSENT -> count = MAKE
		:: UNMAPS && IS_TABLE(e) && more -> count = CUT
		:: UNMAPS && e == LEAF -> count = (more -> CLEAR : SPLIT)
		:: UNMAPS && e == ABSENT -> p = LAST(p, y - 1) + 1; x = covering; y = top
		:: (op == MAP || op == MAP_LOW) && e == ABSENT -> count = (y == 1 -> STORE : MAKE)
		:: (op == MAP || op == MAP_LOW) && e == LEAF -> count = (y == 1 -> REPLACE : SPLIT)
		:: IS_TABLE(e) && !(op == HUGE && y == 2) && !(UNMAPS && more) -> x = CHILD(e); y--
		fi
	od;
	n = x; l = y;
	e = 0; more = 0; x = 0; y = 0
}

proctype Cursor(byte me) {
	byte from, to, op, n, l, p, rest, covering, top, count, opened, cut, scratch, table, mask;
	do
	:: true ->
		if
#if MENU == 1         /* a page, its neighbour, the leaf table, the one above */
		OPTION(7, 0, 0, MAP) OPTION(7, 1, 1, MAP) OPTION(7, 0, 0, UNMAP) OPTION(7, 0, 1, HUGE) OPTION(7, 0, 3, UNMAP)
#elif MENU == 2       /* ranges across borders */
		OPTION(7, 1, 2, MAP) OPTION(7, 3, 4, MAP) OPTION(7, 0, 3, UNMAP) OPTION(7, 2, 3, HUGE) OPTION(7, 2, 5, UNMAP)
#elif MENU == 3       /* one span by both anchors, and reading */
		OPTION(7, 0, 1, HUGE) OPTION(7, 0, 1, UNMAP) OPTION(7, 0, 1, MAP_LOW) OPTION(7, 0, 1, UNMAP_LOW) OPTION(7, 0, 1, READ)
#elif MENU == 4       /* small, for three */
		OPTION(7, 0, 0, MAP) OPTION(7, 0, 1, HUGE) OPTION(7, 0, 3, UNMAP)
#elif MENU == 5       /* small and crossing, for three */
		OPTION(7, 1, 2, MAP) OPTION(7, 0, 3, UNMAP) OPTION(7, 0, 1, HUGE)
#elif MENU == 6       /* wide ones only */
		OPTION(7, 0, 7, UNMAP) OPTION(7, 0, 3, MAP) OPTION(7, 2, 5, MAP) OPTION(7, 0, 1, MAP)
#elif MENU == 9       /* two wide ones and one that is in the way of their upper half */
		OPTION(3, 0, 7, UNMAP) OPTION(4, 4, 7, UNMAP)
#elif MENU == 7       /* neighbours in a leaf table */
		OPTION(1, 0, 0, MAP) OPTION(2, 1, 1, MAP)
#elif MENU == 8       /* a range across a border, and its neighbour */
		OPTION(1, 1, 2, MAP) OPTION(2, 0, 0, MAP)
#endif
		:: d_step { OPENS > 0 && opened == COUNTED && opened == OPENS -> opened = 0 } goto finished
		fi;
restart:
		/* Find. */
		sections = sections | BIT(me);
		l = TOP;
#ifdef BROKEN_FINDS_WITHOUT_SECTION
		d_step { leave_section(me) };
#endif
		do
		:: STAYS(l) -> break
		:: else ->
			d_step {
				check_alive(me, n);
				e = ENTRY(n, INDEX(from, l));
				if :: IS_TABLE(e) -> n = CHILD(e); l--; stands_on[me] = n; table = 1 :: else -> table = 0 fi;
				e = 0
			};
			if
			:: table -> table = 0
			:: else ->
				mask = GRANULE(from, l);
				claim_first(mask);
				if
				:: d_step {
					IS_TABLE(ENTRY(n, INDEX(from, l))) -> let_go(n, GRANULE(from, l))
				   }
				:: d_step {
					ENTRY(n, INDEX(from, l)) == LEAF || (ENTRY(n, INDEX(from, l)) == ABSENT && !MAPS) ->
					leave_section(me); covering = n; top = l; p = from; n = 0; l = 0
				   }
					goto work
				:: d_step {
					ENTRY(n, INDEX(from, l)) == ABSENT && MAPS ->
					scratch = (STAYS(l - 1) -> MASK(from, l - 1) : 0);
#ifdef BROKEN_BORN_UNCLAIMED
					scratch = 0;
#endif
					new_table(ABSENT, scratch); table = e; e = 0; scratch = 0
				   }
					if
					:: table == ABSENT ->             /* no memory */
						d_step { let_go(n, GRANULE(from, l)); closed() };
						goto next
					:: else ->
						occupy(n, GRANULE(from, l));
						d_step { check_store(n, from, l); ENTRY(n, INDEX(from, l)) = table };
						d_step { let_go(n, GRANULE(from, l)); n = CHILD(table); l--; stands_on[me] = n; table = 0 };
						if
						:: STAYS(l) ->
							d_step { leave_section(me); covering = n; top = l; p = from; n = 0; l = 0 };
							goto work
						:: else
						fi
					fi
				fi
			fi
		od;
		/* The covering node. One granule of it is enough to leave the section. */
		mask = MASK(from, l);
		claim_first(mask);
		d_step {
			leave_section(me); covering = n; top = l; p = from;
			if :: rest == 0 -> x = n; y = l; q = from; next_node(); descend_or_work() :: else fi
		};
		/* The rest of it, and all below. */
		do
		:: rest == 0 -> break
		:: d_step {
			rest != 0 && IS_FREE(n, rest) ->
			CHECK(freed_node, node_state[n] == LIVE);
			take(n, rest); rest = rest & ~got; got = 0;
			if :: rest == 0 -> x = n; y = l; q = p; next_node(); descend_or_work() :: else fi
		   }
#if TRIES
		:: d_step { rest != 0 && HAS(TRIES, me) && !IS_FREE(n, rest) ->
#ifdef BROKEN_GIVES_BACK_MORE_THAN_IT_TOOK
			wide = MASK(p, l); let_go(n, wide);
#else
			wide = MASK(p, l) & ~rest; let_go(n, wide);
#endif
			x = covering; y = top; q = from; count = 0;
			do
			:: x == n -> break
			:: else -> count++; next_node()
			od;
			rest = 0; n = 0; l = 0; p = 0; x = 0; y = 0; q = 0
		   }
			goto give_back
#endif
		od;
work:
		skip;
		d_step {
			i = 0;
			do
			:: i < CURSORS ->
				CHECK(exclusion, i == me || !HAS(working, i) || range_to[i] < from || range_from[i] > to); i++
			:: else -> break
			od;
			i = 0;
			working = working | BIT(me);
			CHECK(meeting, REACH == 0 || (working & REACH) != REACH)
		};
		do
		:: true ->
			d_step { decide() };
			if
			:: count == NOTHING ->           /* release, in reverse: `count` nodes are held */
				d_step {
					working = working & ~BIT(me);
					x = covering; y = top; q = from; count = 0; more = 1;
					do :: more -> count++; next_node() :: else -> break od;
					n = 0; l = 0; p = 0; x = 0; y = 0; q = 0
				};
				break
			:: count == STORE ->
#ifdef BROKEN_STORES_BEFORE_OCCUPYING
				skip;
#else
				occupy(n, GRANULE(p, l));
#endif
				d_step { check_store(n, p, l); ENTRY(n, INDEX(p, l)) = LEAF; p = LAST(p, l - 1) + 1 }
			:: count == REPLACE -> p = LAST(p, l - 1) + 1
			:: count == CLEAR ->
				d_step { check_store(n, p, l); ENTRY(n, INDEX(p, l)) = ABSENT };
				d_step { vacate(n, p, l); p = LAST(p, l - 1) + 1 }
			:: count == CUT ->
				d_step {
					check_store(n, p, l);
					cut = CHILD(ENTRY(n, INDEX(p, l)));
					ENTRY(n, INDEX(p, l)) = (op == HUGE -> LEAF : ABSENT)
				};
				d_step { if :: op != HUGE -> vacate(n, p, l) :: else fi; p = LAST(p, l - 1) + 1 };
				abandon()
			:: count == MAKE || count == SPLIT ->
				d_step {
					scratch = MASK(p, l - 1);
#ifdef BROKEN_BORN_UNCLAIMED
					scratch = 0;
#endif
#ifdef BROKEN_BORN_WHOLLY_CLAIMED
					scratch = ALL;
#endif
					new_table((count == SPLIT -> LEAF : ABSENT), scratch); table = e; e = 0; scratch = 0
				};
				if
				:: table == ABSENT -> p = to + 1              /* no memory: what is done stays */
				:: else ->
					if :: count == MAKE -> occupy(n, GRANULE(p, l)) :: else fi;
					d_step { check_store(n, p, l); ENTRY(n, INDEX(p, l)) = table; table = 0 }
				fi
			fi
		od;
give_back:
		skip;
		do
		:: d_step {
			count > 0 ->
			x = covering; y = top; q = from; j = 1;
#ifdef BROKEN_RELEASES_FORWARD
			p++;
			do :: j < p -> next_node(); CHECK(release, more); j++ :: else -> break od;
#else
			do :: j < count -> next_node(); CHECK(release, more); j++ :: else -> break od;
#endif
			j = 0;
			wide = MASK(q, y); let_go(x, wide);
			x = 0; y = 0; q = 0; count--
		   }
		:: d_step { count == 0 -> closed() } break
		od;
next:		skip
	od;
finished: skip
}

proctype Lookup(byte me) {
	byte n, l;
	do
	:: true ->
		d_step { sections = sections | BIT(me); n = 0; l = TOP };
		do
		:: l == 0 -> d_step { leave_section(me) }; break
		:: l != 0 ->
			d_step {
				check_alive(me, n);
				e = ENTRY(n, INDEX(0, l));
				if :: IS_TABLE(e) -> n = CHILD(e); l--; stands_on[me] = n :: else -> n = 0; l = 0 fi;
				e = 0
			}
		od
	od
}

init {
	atomic {
		node_state[0] = LIVE;
		run Cursor(0); run Cursor(1);
#if CURSORS > 2
		run Cursor(2);
#endif
#if LOOKUPS > 0
		run Lookup(CURSORS);
#endif
		skip
	}
}
