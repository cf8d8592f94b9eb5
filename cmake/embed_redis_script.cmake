# Joins PARTS in the order of their names to OUTPUT/steadycache.lua, and writes OUTPUT/script_text.c, a C file
# with its bytes as data of the program (.incbin): the object of backends/redis/script.h. The function library
# is the whole, the script for EVALSHA what is behind its first line.
#
#   cmake -DOUTPUT=FOLDER "-DPARTS=FILE;FILE" -P embed_redis_script.cmake
list(SORT PARTS)
file(WRITE "${OUTPUT}/steadycache.lua" "")
foreach(part ${PARTS})
	file(READ "${part}" text)
	file(APPEND "${OUTPUT}/steadycache.lua" "${text}")
endforeach()
file(READ "${OUTPUT}/steadycache.lua" text)
string(FIND "${text}" "\n" first)
math(EXPR first "${first} + 1")
string(SUBSTRING "${text}" ${first} -1 text)
string(SHA1 hash "${text}")
file(WRITE "${OUTPUT}/script_text.c" "/* Made by cmake/embed_redis_script.cmake. */\n"
	"#include \"backends/redis/script.h\"\n\n"
	"__asm__(\".pushsection .rodata.redis_script,\\\"a\\\",%progbits\\n\"\n"
	"\t\".globl redis_script_text\\n.hidden redis_script_text\\n\"\n"
	"\t\".globl redis_script_text_end\\n.hidden redis_script_text_end\\n\"\n"
	"\t\"redis_script_text:\\n.incbin \\\"${OUTPUT}/steadycache.lua\\\"\\n\"\n"
	"\t\"redis_script_text_end:\\n.popsection\");\n\n"
	"const unsigned redis_script_first_line = ${first};\n"
	"const char redis_script_sha1[41] = \"${hash}\";\n")
