/* SPDX-License-Identifier: Apache-2.0
 *
 * Shootdowns: core/tlb (Dispatch, Shootdown, Deliver, Acknowledge, Activate, OnWake), the mailboxes
 * of concurrency/ipi_bus.* and going idle. One space with tags, two pages, a few frames, CPUs with
 * TLBs that hold what they looked up until a flush. A frame stands for a page and for a table that
 * was cut out: a walk reads the entry, then what it points to.
 *
 * One step is one access that others can notice; a mailbox's lock makes one step of what is under
 * it. A CPU comes to interrupt points between its operations, and while it waits. Requests of
 * different senders may come in any order. A frame is free as soon as its batch was acknowledged by
 * all and the sections are closed that were open then (rcu.pml).
 *
 * Properties: stale (no CPU uses a translation after its flush was acknowledged by all), walked (no
 * frame becomes free while a section looks at it), counted (no batch is acknowledged more often
 * than it has targets), batch (nobody looks at a batch after its last acknowledgement), books (at
 * the end nothing is in a mailbox, in flight or held back); whoever waits is woken (no invalid end
 * state).
 *
 *   CPUS                2 or 3        UNMAPS0, UNMAPS1, UNMAPS2  how often each unmaps
 *   RUNS                set of CPUs that run the space, leave it and go idle, again and again
 *   READS               set of CPUs that walk page 0 without running the space
 *   SYNCS               set of CPUs that wait for each of their flushes
 *   FRAMES, BATCHES     how many there are
 */
#include "common.pml"
#ifndef CPUS
#define CPUS 3
#endif
#ifndef UNMAPS0
#define UNMAPS0 2
#endif
#ifndef UNMAPS1
#define UNMAPS1 0
#endif
#ifndef UNMAPS2
#define UNMAPS2 1
#endif
#ifndef RUNS
#define RUNS 2
#endif
#ifndef READS
#define READS 0
#endif
#ifndef SYNCS
#define SYNCS 1
#endif
#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef BATCHES
#define BATCHES 2
#endif

#define PAGES 2
#define FREE 0
#define MAPPED 1
#define RETIRED 2
#define DEAD 128             /* ghost: the flush of this translation was acknowledged by all */

PROPERTY(stale) PROPERTY(walked) PROPERTY(counted) PROPERTY(batch) PROPERTY(books)

byte entry[PAGES];           /* 0 absent, else 1 + frame */
bool locked[PAGES];          /* the cursor over the page */
byte frame_state[FRAMES];
byte grace[FRAMES];          /* CPUs whose section was open when the frame's batch was finished */

byte active_on, holders;     /* of the space, sets of CPUs */
byte generation = 1;
byte seen[CPUS];             /* 0: the CPU has no slot for the tag, so no entries */
byte tlb[CPUS * PAGES];      /* 0, else 1 + frame, maybe DEAD */
byte current;                /* set of CPUs on which the space is current */

bool idle[CPUS];
byte mailbox[CPUS];          /* set of batches */
bool token[CPUS];            /* of the parker */
byte sections;
byte walks[CPUS];            /* ghost: 1 + the frame that the CPU's section looks at */

byte users[BATCHES];         /* 0 in the pool, else 1 + initiator */
byte pending[BATCHES];
byte batch_generation[BATCHES];
byte batch_page[BATCHES];
byte batch_frame[BATCHES];
byte sequence[BATCHES];
byte completed[BATCHES];
bool waited_for[BATCHES];
byte finished;               /* CPUs that have ended */

hidden byte i, j;

/* -------- frames -------- */

/* Who still translates to a frame that is free has it wrong. */
inline free_frame(f) {
	i = 0;
	do
	:: i < CPUS ->
		CHECK(walked, walks[i] != 1 + f);
		if :: tlb[i * PAGES] == 1 + f -> tlb[i * PAGES] = DEAD | (1 + f) :: else fi;
		if :: tlb[i * PAGES + 1] == 1 + f -> tlb[i * PAGES + 1] = DEAD | (1 + f) :: else fi;
		i++
	:: else -> break
	od;
	i = 0;
	frame_state[f] = FREE
}
inline retire(f) {
	frame_state[f] = RETIRED;
#ifdef BROKEN_FRAMES_SKIP_THE_GRACE_PERIOD
	grace[f] = 0;
#else
	grace[f] = sections;
#endif
	if :: grace[f] == 0 -> free_frame(f) :: else fi
}
inline leave_section() {
	d_step {
		sections = sections & ~BIT(me); walks[me] = 0;
		j = 0;
		do
		:: j < FRAMES ->
			if
			:: frame_state[j] == RETIRED && HAS(grace[j], me) ->
				grace[j] = grace[j] & ~BIT(me);
				if :: grace[j] == 0 -> free_frame(j) :: else fi
			:: else
			fi;
			j++
		:: else -> break
		od;
		j = 0
	}
}

/* -------- batches -------- */

/* From here on no CPU may use the translation. */
inline mark_dead(page, f) {
	i = 0;
	do
	:: i < CPUS ->
		if
		:: tlb[i * PAGES + page] == 1 + f -> tlb[i * PAGES + page] = DEAD | (1 + f)
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}
/* TlbSystem::Flush on the CPU itself. */
inline flush(b) {
	if
	:: seen[me] == 0 || (batch_generation[b] != 0 && seen[me] >= batch_generation[b])
	:: else ->
#ifndef BROKEN_MISSING_GENERATION_IS_IGNORED
		if
		:: batch_generation[b] != 0 && seen[me] + 1 != batch_generation[b] ->
			tlb[me * PAGES] = 0; tlb[me * PAGES + 1] = 0
		:: else -> tlb[me * PAGES + batch_page[b]] = 0
		fi;
#else
		tlb[me * PAGES + batch_page[b]] = 0;
#endif
		if :: batch_generation[b] != 0 -> seen[me] = batch_generation[b] :: else fi
	fi
}
/* TlbSystem::GiveUp: the frame to RCU, the batch to the pool. In the code the batch goes to RCU with
 * the frame; here it is used again even earlier. */
inline give_up(b) {
	mark_dead(batch_page[b], batch_frame[b]);
#ifndef BROKEN_FRAMES_ARE_FREED_AT_DISPATCH
	retire(batch_frame[b]);
#endif
	users[b] = 0; batch_generation[b] = 0; batch_page[b] = 0; batch_frame[b] = 0; pending[b] = 0
}
/* ShootdownBatch::Acknowledge and TlbSystem::FinishFlush. `who` is the initiator to be woken. */
inline acknowledge(b) {
	d_step {
		CHECK(counted, users[b] != 0 && pending[b] > 0);
		pending[b]--;
		last = (pending[b] == 0);
		who = users[b]
	};
#ifdef BROKEN_LOOKS_AFTER_ACKNOWLEDGING
	CHECK(batch, users[b] == who);
#endif
	if
	:: last ->
		completed[b] = sequence[b];
		wake = waited_for[b];
		d_step { give_up(b) };
#ifndef BROKEN_WAITER_IS_NOT_WOKEN
		if :: wake && who != 1 + me -> token[who - 1] = true :: else fi
#endif
	:: else
	fi;
	last = false; wake = false; who = 0
}
/* IpiBus::Poll. */
inline poll() {
	do
	:: mailbox[me] != 0 ->
		d_step { work = mailbox[me]; mailbox[me] = 0 };
		do
		:: d_step { HAS(work, 0) -> work = work & ~1; request = 0; flush(request) } acknowledge(request)
#if BATCHES > 1
		:: d_step { HAS(work, 1) -> work = work & ~2; request = 1; flush(request) } acknowledge(request)
#endif
#if BATCHES > 2
		:: d_step { HAS(work, 2) -> work = work & ~4; request = 2; flush(request) } acknowledge(request)
#endif
		:: work == 0 -> break
		od;
		request = 0
	:: else -> break
	od
}

/* TlbSystem::Dispatch of the batch `mine`. */
inline dispatch() {
#ifdef BROKEN_FRAMES_ARE_FREED_AT_DISPATCH
	d_step { retire(batch_frame[mine]) };
#endif
	if
	:: d_step { (holders & ~BIT(me)) == 0 -> flush(mine); give_up(mine) }      /* alone */
	:: (holders & ~BIT(me)) != 0 ->
#ifdef BROKEN_SET_IS_READ_BEFORE_COUNTING
		targets = active_on & ~BIT(me);
		d_step { generation++; batch_generation[mine] = generation };
#else
#ifdef BROKEN_COUNTS_AFTER_DELIVERING
		batch_generation[mine] = generation + 1;
#else
		d_step { generation++; batch_generation[mine] = generation };
#endif
		targets = active_on & ~BIT(me);
#endif
		d_step {
			sequence[mine] = completed[mine] + 1; waited_for[mine] = false;
			pending[mine] = HAS(targets, 0) + HAS(targets, 1) + HAS(targets, 2);
#ifndef BROKEN_NO_ACKNOWLEDGEMENT_OF_ITS_OWN
			pending[mine]++;
#endif
			ticket = sequence[mine];
			flush(mine)
		};
		target = 0;
		do
		:: target < CPUS ->
			if
			:: HAS(targets, target) ->
				CHECK(batch, users[mine] == 1 + me && completed[mine] < ticket);
				if
				:: d_step {
					!idle[target] ->                      /* IpiBus::Send */
					if :: mailbox[target] == 0 -> token[target] = true :: else fi;
					mailbox[target] = mailbox[target] | BIT(mine)
				   }
#ifdef BROKEN_IDLE_CPU_IS_LEFT_OUT
				:: idle[target]
#else
				:: idle[target] -> acknowledge(mine)
#endif
				fi
			:: else
			fi;
			target++
		:: else -> break
		od;
		target = 0; targets = 0;
#ifdef BROKEN_COUNTS_AFTER_DELIVERING
		generation++;
#endif
#ifndef BROKEN_NO_ACKNOWLEDGEMENT_OF_ITS_OWN
		acknowledge(mine)
#endif
	fi
}
/* TlbSystem::Wait. */
inline sync() {
	if
	:: ticket == 0 || completed[mine] >= ticket
	:: else ->
#ifndef BROKEN_LOOKS_BEFORE_ASKING_TO_BE_WOKEN
		waited_for[mine] = true;
#endif
		do
		:: true ->
#ifdef BROKEN_SYNC_DOES_NOT_SERVE_THE_MAILBOX
			completed[mine] >= ticket;
#else
			poll();
#endif
			if
			:: completed[mine] >= ticket -> break
			:: completed[mine] < ticket ->
#ifdef BROKEN_LOOKS_BEFORE_ASKING_TO_BE_WOKEN
				waited_for[mine] = true;
#endif
				d_step { token[me] -> token[me] = false }
			fi
		od
	fi
}

/* CursorMut: exchange, issue, retire, dispatch. */
inline unmap(page) {
	d_step {
		if
		:: entry[page] != 0 && !locked[page] ->
			locked[page] = true;
			do :: mine < BATCHES && users[mine] != 0 -> mine++ :: else -> break od;
			if :: mine == BATCHES -> locked[page] = false :: else -> users[mine] = 1 + me fi
		:: else -> mine = BATCHES
		fi
	};
	if
	:: mine == BATCHES
	:: else ->
		d_step {
			unmaps++;
			batch_page[mine] = page; batch_frame[mine] = entry[page] - 1;
#ifndef BROKEN_DISPATCHES_BEFORE_THE_EXCHANGE
			entry[page] = 0
#endif
		};
		dispatch();
#ifdef BROKEN_DISPATCHES_BEFORE_THE_EXCHANGE
		entry[page] = 0;
#endif
		locked[page] = false;
		if :: HAS(SYNCS, me) -> sync() :: else fi;
		ticket = 0
	fi;
	mine = 0
}
inline map(page) {
	d_step {
		j = 0;
		do :: j < FRAMES && frame_state[j] != FREE -> j++ :: else -> break od;
		if
		:: j < FRAMES && entry[page] == 0 && !locked[page] -> frame_state[j] = MAPPED; entry[page] = 1 + j
		:: else
		fi;
		j = 0
	}
}

/* -------- a CPU that runs the space -------- */

inline catch_up() {
#ifdef BROKEN_WAKES_WITHOUT_LOOKING
	if
	:: woke
	:: else ->
#endif
	d_step {
		if
		:: seen[me] != 0 && seen[me] != generation -> tlb[me * PAGES] = 0; tlb[me * PAGES + 1] = 0
		:: else
		fi;
		seen[me] = generation
	}
#ifdef BROKEN_WAKES_WITHOUT_LOOKING
	fi
#endif
}
inline activate() {
#ifdef BROKEN_LOOKS_BEFORE_JOINING
	catch_up();
	holders = holders | BIT(me);
	active_on = active_on | BIT(me);
#else
	holders = holders | BIT(me);
	active_on = active_on | BIT(me);
	catch_up();
#endif
	current = current | BIT(me)
}
inline deactivate() {
	current = current & ~BIT(me);
	active_on = active_on & ~BIT(me);
#ifdef BROKEN_LEAVES_THE_HOLDERS
	holders = holders & ~BIT(me);
#endif
}
/* A hit, or a walk that fills the TLB. */
inline access(page) {
	if
	:: tlb[me * PAGES + page] != 0 -> CHECK(stale, tlb[me * PAGES + page] < DEAD)
	:: else ->
		sections = sections | BIT(me);
		walks[me] = entry[page];
		d_step {
			CHECK(walked, walks[me] == 0 || frame_state[walks[me] - 1] != FREE);
			tlb[me * PAGES + page] = walks[me]
		};
		leave_section()
	fi
}
/* PageTable::Walk. */
inline look_up(page) {
	sections = sections | BIT(me);
	walks[me] = entry[page];
	leave_section()
}
inline go_idle() {
#ifdef BROKEN_GOES_IDLE_WITH_MAIL
	poll();
	idle[me] = true
#else
	do
	:: true ->
		poll();
		if :: d_step { mailbox[me] == 0 -> idle[me] = true } break :: mailbox[me] != 0 fi
	od
#endif
}
inline wake_up() {
#ifdef BROKEN_LOOKS_BEFORE_IT_TAKES_MAIL
	if :: HAS(current, me) -> catch_up() :: else fi;
	idle[me] = false
#else
	idle[me] = false;
#ifdef BROKEN_WAKES_WITHOUT_LOOKING
	woke = true;
#endif
	if :: HAS(current, me) -> catch_up() :: else fi;
#ifdef BROKEN_WAKES_WITHOUT_LOOKING
	woke = false
#endif
#endif
}

proctype Cpu(byte me; byte most) {
	byte unmaps, mine, ticket, targets, target, work, request, who;
	bool last, wake, woke;
	do
	:: unmaps < most -> unmap(0)
	:: unmaps < most -> unmap(1)
	:: unmaps < most -> map(0)
	:: unmaps < most -> map(1)
	:: mailbox[me] != 0 -> poll()
	:: HAS(RUNS, me) && !HAS(current, me) -> activate()
	:: HAS(RUNS, me) && HAS(current, me) -> access(0)
	:: HAS(RUNS, me) && HAS(current, me) -> access(1)
	:: HAS(RUNS, me) && HAS(current, me) -> deactivate()
	:: HAS(RUNS, me) && HAS(current, me) -> go_idle(); wake_up()
	:: HAS(READS, me) -> look_up(0)
	:: unmaps == most -> go_idle(); break
	od;
	finished++
}

init {
	atomic {
		entry[0] = 1; frame_state[0] = MAPPED; entry[1] = 2; frame_state[1] = MAPPED;
		run Cpu(0, UNMAPS0); run Cpu(1, UNMAPS1);
#if CPUS > 2
		run Cpu(2, UNMAPS2);
#endif
		skip
	}
	finished == CPUS;
	i = 0;
	do
	:: i < FRAMES -> CHECK(books, frame_state[i] != RETIRED); i++
	:: else -> break
	od;
	i = 0;
	do :: i < BATCHES -> CHECK(books, users[i] == 0); i++ :: else -> break od;
	i = 0;
	do :: i < CPUS -> CHECK(books, mailbox[i] == 0); i++ :: else -> break od;
	i = 0
}
