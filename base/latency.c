#include "base/latency.h"

#define US *UINT64_C(1000)
#define MS *UINT64_C(1000000)

const uint64_t latency_bounds_ns[LATENCY_BOUNDS] = {
	2500,   4000,    6300,    10 US,   16 US,   25 US,   40 US,    63 US,  100 US,
	160 US, 250 US,  400 US,  630 US,  1 MS,    1600 US, 2500 US,  4 MS,   6300 US,
	10 MS,  16 MS,   25 MS,   40 MS,   63 MS,   100 MS,  160 MS,   250 MS, 400 MS,
	630 MS, 1000 MS, 1600 MS, 2500 MS, 4000 MS, 6300 MS, 10000 MS,
};

uint64_t latency_total(const struct latency_histogram *histogram)
{
	uint64_t total = 0;

	for (size_t i = 0; i < LATENCY_STEPS; i++)
		total += histogram->count[i];
	return total;
}

double latency_percentile_ns(const struct latency_histogram *histogram, double share)
{
	double left = (double)latency_total(histogram) * share;
	double from = 0;

	for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
		double count = (double)histogram->count[i];
		double upto = (double)latency_bounds_ns[i];

		if (count > 0 && left <= count)
			return from + (upto - from) * (left / count);
		left -= count;
		from = upto;
	}
	return histogram->count[LATENCY_BOUNDS] > 0 ? from : 0;
}
