#include "backends/plugin/file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What files of both word sizes begin with. */
struct elf_start {
	unsigned char ident[EI_NIDENT];
	Elf32_Half type, machine;
};

static bool refuse(char *error, size_t error_size, const char *sentence)
{
	(void)snprintf(error, error_size, "%s", sentence);
	return false;
}

static bool read_start(const char *path, struct elf_start *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool is_read = fd >= 0 && read(fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret) &&
		       memcmp(ret->ident, ELFMAG, SELFMAG) == 0;

	if (fd >= 0)
		(void)close(fd);
	return is_read;
}

static const char *name_of_machine(const struct elf_start *start)
{
	switch (start->machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_386:
		return "x86 (32 bits)";
	case EM_AARCH64:
		return "ARM (64 bits)";
	case EM_ARM:
		return "ARM (32 bits)";
	case EM_RISCV:
		return "RISC-V";
	case EM_PPC64:
		return "POWER";
	case EM_S390:
		return "z/Architecture";
	default:
		return "another processor";
	}
}

static bool check_elf(const char *path, char *error, size_t error_size)
{
	struct elf_start start, own;

	if (!read_start(path, &start))
		return refuse(error, error_size,
			      "it is no shared object; build it with cc -shared -fPIC");
	bool knows_own = read_start("/proc/self/exe", &own);
	if (knows_own &&
	    (own.machine != start.machine || own.ident[EI_CLASS] != start.ident[EI_CLASS] ||
	     own.ident[EI_DATA] != start.ident[EI_DATA])) {
		(void)snprintf(error, error_size,
			       "it is built for %s, and this server for %s; build it for the "
			       "server's machine",
			       name_of_machine(&start), name_of_machine(&own));
		return false;
	}
	if (start.type != ET_DYN)
		return refuse(error, error_size,
			      "it is a program or an object file, no shared object; build it with "
			      "cc -shared -fPIC");
	return true;
}

bool plugin_file_check(const char *path, char *error, size_t error_size)
{
	struct stat file;

	if (stat(path, &file) != 0) {
		(void)snprintf(error, error_size, "%s cannot be read: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(file.st_mode))
		return refuse(error, error_size,
			      S_ISDIR(file.st_mode) ? "it is a directory, no shared object"
						    : "it is no file, so no shared object");
	if (access(path, R_OK) != 0) {
		(void)snprintf(error, error_size, "it cannot be read: %s", strerror(errno));
		return false;
	}
	if (file.st_mode & S_IWOTH)
		return refuse(error, error_size,
			      "everybody may write to it, and it would run as the server; "
			      "chmod o-w");
	return check_elf(path, error, error_size);
}
