#include "client/migrate/meter.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/output.h"

#define REDRAW_US    INT64_C(200000)
#define LINE_US      INT64_C(10000000)
#define BAR_CELLS    20
#define ERASE_TO_END "\033[K"

static uint64_t without(uint64_t total, uint64_t done)
{
	return total > done ? total - done : 0;
}

void meter_start(struct meter *meter, const char *verb, bool is_quiet,
		 const struct migrate_source *source, const struct migrate_totals *totals)
{
	uint64_t entries = totals->stored + totals->kept + totals->failed + totals->gone;

	*meter = (struct meter){
		.verb = verb,
		.is_quiet = is_quiet,
		.is_terminal = isatty(STDERR_FILENO),
		.total_entries = without(source->total_entries, entries),
		.total_bytes = without(source->total_bytes, source->total_is_of_input
								    ? totals->input_bytes
								    : totals->seen_bytes),
		.started_us = monotonic_now_us(),
		.shown_us = monotonic_now_us(),
	};
}

void meter_add(struct meter *meter, uint64_t entries, uint64_t bytes)
{
	meter->entries += entries;
	meter->bytes += bytes;
}

/* How much is done, 0 to 1; negative: unknown. The slower of the two figures counts. */
static double share_of(const struct meter *meter)
{
	double by_bytes =
		meter->total_bytes > 0 ? (double)meter->bytes / (double)meter->total_bytes : -1;
	double by_entries = meter->total_entries > 0
				    ? (double)meter->entries / (double)meter->total_entries
				    : -1;
	double share = by_bytes;

	if (by_bytes < 0 || (by_entries >= 0 && by_entries < by_bytes))
		share = by_entries;
	return share > 1 ? 1 : share;
}

static void print_left(double seconds)
{
	unsigned long whole = (unsigned long)(seconds + 0.5);

	if (whole >= 3600)
		(void)fprintf(stderr, ", %lu:%02lu:%02lu left", whole / 3600, whole / 60 % 60,
			      whole % 60);
	else
		(void)fprintf(stderr, ", %lu:%02lu left", whole / 60, whole % 60);
}

static void print_bar(double share)
{
	(void)fputc('[', stderr);
	for (int i = 0; i < BAR_CELLS; i++)
		(void)fputc(i < (int)(share * BAR_CELLS) ? '#' : '.', stderr);
	(void)fputs("] ", stderr);
}

void meter_show(struct meter *meter, const struct migrate_totals *totals)
{
	int64_t now_us = monotonic_now_us();
	double seconds = (double)(now_us - meter->started_us) / US_PER_S;
	double share = share_of(meter);
	char rate[16];

	if (meter->is_quiet ||
	    now_us - meter->shown_us < (meter->is_terminal ? REDRAW_US : LINE_US))
		return;
	meter->shown_us = now_us;
	if (meter->is_terminal)
		(void)fputc('\r', stderr);
	if (meter->is_terminal && share >= 0)
		print_bar(share);
	(void)fprintf(stderr, "%" PRIu64 " %s", totals->stored, meter->verb);
	if (totals->kept > 0)
		(void)fprintf(stderr, ", %" PRIu64 " kept", totals->kept);
	if (totals->failed > 0)
		(void)fprintf(stderr, ", %" PRIu64 " failed", totals->failed);
	(void)fprintf(stderr, ", %.0f/s, %s/s", (double)meter->entries / seconds,
		      output_size((double)meter->bytes / seconds, rate));
	if (share > 0)
		print_left(seconds / share * (1 - share));
	(void)fputs(meter->is_terminal ? ERASE_TO_END : "\n", stderr);
}

void meter_end(struct meter *meter)
{
	if (meter->is_terminal && !meter->is_quiet)
		(void)fputs("\r" ERASE_TO_END, stderr);
}
