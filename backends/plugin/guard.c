#include "backends/plugin/guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "store/notice.h"

#define FIRST_NOTICE_S 2
#define STACK_BYTES    65536
#define EXIT_STATUS    2

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
#define CRASHES (sizeof(crashes) / sizeof(crashes[0]))

static struct {
	pthread_mutex_t turn; /* held by the thread that has the guard */
	const char *label, *when;
	const struct backend_config *config;

	struct sigaction before[CRASHES];
	stack_t stack_before;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t ends;
	bool is_over;
	bool has_watcher;
	pthread_t watcher;
} guard = {.turn = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER};

/* Whether this thread is between begin and end, and whether any is. */
static _Thread_local volatile sig_atomic_t is_guarded;
static volatile sig_atomic_t is_on;
/* The plugin whose code this thread runs, while it is open. */
static _Thread_local const char *volatile inside;

/* Of the handler that stays. */
static struct sigaction stay_before[CRASHES];

/* ---- What is written as the process ends ---- */

/* Callable in a handler. */
static void write_about(const char *label, const char *what, const char *when, const char *detail)
{
	static const char rest[] =
		"; the process ends. The fault is in the plugin: tell its author, "
		"or do without it\n";
	static const char rest_of_file[] =
		"; the process ends. A file of the plugin was cut, its disk fails, or the fault is "
		"in the plugin\n";
	bool is_of_file = strstr(detail, "SIGBUS") != NULL;
	const char *parts[] = {"steadycache: ",
			       label,
			       ": the plugin ",
			       what,
			       " ",
			       when,
			       detail,
			       is_of_file ? rest_of_file : rest};
	struct iovec pieces[sizeof(parts) / sizeof(parts[0])];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		pieces[i] = (struct iovec){.iov_base = (void *)(uintptr_t)parts[i],
					   .iov_len = strlen(parts[i])};
	if (writev(STDERR_FILENO, pieces, sizeof(parts) / sizeof(parts[0])) < 0)
		return; /* nobody is left who could be told */
}

/* What this thread did. False: nothing with a plugin. */
static bool write_sentence(const char *what, const char *detail)
{
	const char *name = inside;

	if (is_guarded)
		write_about(guard.label, what, guard.when, detail);
	else if (name)
		write_about(name, what, "while it was open", detail);
	return is_guarded || name;
}

static const char *name_of(int number)
{
	switch (number) {
	case SIGSEGV:
		return " (SIGSEGV, an access to memory that is not its own)";
	case SIGBUS:
		return " (SIGBUS, an access to memory behind the end of a file)";
	case SIGFPE:
		return " (SIGFPE, an impossible division)";
	case SIGILL:
		return " (SIGILL, an instruction that this processor lacks)";
	case SIGABRT:
		return " (SIGABRT, a call of abort())";
	default:
		return " (SIGSYS, a system call that is forbidden)";
	}
}

static void restore_actions(void)
{
	for (size_t i = 0; i < CRASHES; i++)
		(void)sigaction(crashes[i], &guard.before[i], NULL);
}

static void tell_crash(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (is_on) {
		restore_actions();
		/* A thread of the plugin's own is taken for the one that has the guard. */
		if (!write_sentence("crashed", name_of(number)))
			write_about(guard.label, "crashed", guard.when, name_of(number));
	} else { /* somebody who came meanwhile has kept this handler, and calls it */
		(void)signal(number, SIG_DFL);
	}
	/* A fault happens again on return; what was sent must be sent again. */
	if (info->si_code <= 0)
		(void)raise(number);
}

/* Of a plugin that is open. Each signal once: then the handler of before has it again. */
static void tell_late_crash(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!is_guarded)
		(void)write_sentence("crashed", name_of(number));
	for (size_t i = 0; i < CRASHES; i++)
		if (crashes[i] == number)
			(void)sigaction(number, &stay_before[i], NULL);
	if (info->si_code <= 0)
		(void)raise(number);
}

static void tell_exit(void)
{
	if (write_sentence("called exit()", ""))
		_exit(EXIT_STATUS);
}

static void watch_exit(void)
{
	(void)atexit(tell_exit);
}

/* ---- Begin and end ---- */

static void set_actions(void)
{
	static char stack[STACK_BYTES];
	const stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_sigaction = tell_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	/* One that is there, a sanitizer's, is as good. */
	if (sigaltstack(NULL, &guard.stack_before) == 0 && guard.stack_before.ss_flags & SS_DISABLE)
		(void)sigaltstack(&own, NULL);
	for (size_t i = 0; i < CRASHES; i++)
		(void)sigaction(crashes[i], &action, &guard.before[i]);
}

/* ---- Of a plugin that is open ---- */

void plugin_guard_stay(void)
{
	struct sigaction action = {.sa_sigaction = tell_late_crash,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK};
	static bool stays;

	for (size_t i = 0; i < CRASHES && !stays; i++) {
		/* The end of the guard restores what it has found. */
		stay_before[i] = guard.before[i];
		guard.before[i] = action;
	}
	stays = true;
}

void plugin_guard_enter(const char *name)
{
	inside = name;
}

void plugin_guard_leave(void)
{
	inside = NULL;
}

/* A handler that the plugin has set since stays. */
static void unset_actions(void)
{
	for (size_t i = 0; i < CRASHES; i++) {
		struct sigaction now;

		if (sigaction(crashes[i], NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
		    now.sa_sigaction == tell_crash)
			(void)sigaction(crashes[i], &guard.before[i], NULL);
	}
	if (guard.stack_before.ss_flags & SS_DISABLE)
		(void)sigaltstack(&guard.stack_before, NULL);
}

static void *watch(void *user)
{
	int64_t started_us = monotonic_now_us();
	int64_t wait_s = FIRST_NOTICE_S;

	(void)user;
	(void)pthread_mutex_lock(&guard.lock);
	while (!guard.is_over) {
		if (thread_wait_until(&guard.ends, &guard.lock, started_us + wait_s * US_PER_S) ||
		    guard.is_over)
			continue;
		notice_send(guard.config, NOTICE_WARN,
			    "%s: the plugin has been opening for %lld s; the server waits for it",
			    guard.label, (long long)wait_s);
		wait_s *= 2;
	}
	(void)pthread_mutex_unlock(&guard.lock);
	return NULL;
}

void plugin_guard_begin(const char *label, const char *when, const struct backend_config *config)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, watch_exit);
	(void)pthread_mutex_lock(&guard.turn);
	guard.label = label;
	guard.when = when;
	guard.config = config;
	guard.is_over = false;
	thread_condition_init(&guard.ends);
	/* Without it nobody tells that it takes long. */
	guard.has_watcher = thread_start(&guard.watcher, "plugin-watcher", watch, NULL) == 0;
	is_on = 1;
	set_actions();
	is_guarded = 1;
}

void plugin_guard_end(void)
{
	is_guarded = 0;
	unset_actions();
	is_on = 0;
	(void)pthread_mutex_lock(&guard.lock);
	guard.is_over = true;
	(void)pthread_cond_signal(&guard.ends);
	(void)pthread_mutex_unlock(&guard.lock);
	if (guard.has_watcher)
		(void)pthread_join(guard.watcher, NULL);
	(void)pthread_cond_destroy(&guard.ends);
	(void)pthread_mutex_unlock(&guard.turn);
}
