/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool report_trace;

static const char *scenario_name = "?", *replay_string = "?";
static const char *(*replay_by)(void);
static void (*print_history)(void);

void report_where(const char *scenario, const char *replay)
{
	scenario_name = scenario;
	replay_string = replay;
}

void report_name_by(const char *(*name)(void))
{
	replay_by = name;
}

void report_on_failure(void (*print)(void))
{
	print_history = print;
}

void report_failure(const char *format, ...)
{
	static bool failing;
	va_list arguments;

	if (failing)
		_exit(1); /* the report itself failed */
	failing = true;
	printf("# %s: ", scenario_name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n# replay: --scenario %s --replay '%s'\n", scenario_name, replay_by ? replay_by() : replay_string);
	fflush(stdout);
	if (print_history != NULL)
		print_history();
	fflush(stdout);
	_exit(1);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	const void *pc = NULL;

	(void)info;
#if defined __x86_64__
	pc = (const void *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#else
	(void)context;
#endif
	if (number == SIGALRM)
		report_failure("endless loop at %s", report_place(pc));
	else
		report_failure("%s at %s", strsignal(number), report_place(pc));
}

void report_catch_signals(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM };
	static char stack[64 * 1024];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&alternate, NULL);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &action, NULL);
}

void report_watchdog(unsigned seconds)
{
	alarm(seconds);
}

static int find_base(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(uintptr_t *)arg = info->dlpi_addr;
	return 1;
}

/* "inner at file:line < outer at file:line ..." from addr2line's pairs of lines, one pair for each inlined function. */
static void read_places(FILE *pipe, char *text, size_t size)
{
	char function[96], line[128];
	size_t used = 0;

	for (unsigned i = 0; i < 3 && fgets(function, sizeof function, pipe) && fgets(line, sizeof line, pipe); i++) {
		function[strcspn(function, "\n")] = '\0';
		line[strcspn(line, " \n")] = '\0';
		used += (size_t)snprintf(text + used, size - used, "%s%s %s", i ? " < " : "", function, line);
		if (used >= size)
			return;
	}
}

const char *report_place(const void *pc)
{
	static struct {
		const void *pc;
		char text[256];
	} known[251];
	char *text = known[(uintptr_t)pc % 251].text;
	const size_t size = sizeof known[0].text;
	char command[160], self[96];
	uintptr_t base = 0;
	ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
	FILE *pipe;

	if (known[(uintptr_t)pc % 251].pc == pc && pc != NULL)
		return text;
	known[(uintptr_t)pc % 251].pc = pc;
	snprintf(text, size, "%p", pc);
	if (length < 0 || pc == NULL)
		return text;
	self[length] = '\0';
	dl_iterate_phdr(find_base, &base);
	snprintf(command, sizeof command, "addr2line -f -s -i -e '%s' %#lx 2>/dev/null", self,
		 (unsigned long)((uintptr_t)pc - 1 - base));
	pipe = popen(command, "r");
	if (pipe == NULL)
		return text;
	read_places(pipe, text, size);
	pclose(pipe);
	return text;
}

static void print_line(const char *format, va_list arguments)
{
	printf("# ");
	vprintf(format, arguments);
	printf("\n");
}

void report_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(format, arguments);
	va_end(arguments);
}

void report_step(const char *format, ...)
{
	va_list arguments;

	if (!report_trace)
		return;
	va_start(arguments, format);
	print_line(format, arguments);
	va_end(arguments);
}
