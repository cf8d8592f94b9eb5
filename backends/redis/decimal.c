#include "backends/redis/decimal.h"

int64_t redis_decimal(struct slice text)
{
	int64_t number = 0;

	if (text.len == 0 || text.len > 16)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -1;
		number = number * 10 + (text.data[i] - '0');
	}
	return number;
}

bool redis_decimal_up_to(struct slice text, unsigned max, unsigned *ret)
{
	int64_t number = redis_decimal(text);

	if (number < 0 || number > (int64_t)max)
		return false;
	*ret = (unsigned)number;
	return true;
}
