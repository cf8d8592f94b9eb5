#include "client/interrupt.h"

#include <stddef.h>

volatile sig_atomic_t interrupt_signal;

static void note(int number)
{
	interrupt_signal = number;
}

void interrupt_catch(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction before;

		/* nohup's choice stays in force. */
		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			(void)sigaction(numbers[i], &action, NULL);
	}
	(void)signal(SIGXFSZ, SIG_IGN);
}

void interrupt_finish(void)
{
	if (interrupt_signal == 0)
		return;
	(void)signal(interrupt_signal, SIG_DFL);
	(void)raise(interrupt_signal);
}
