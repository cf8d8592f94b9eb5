# Writes OUTPUT, a C file with the bytes of files as data of the program (.incbin) and the table of
# handlers/pages/openapi_files.h over them. Each has an entity tag, made as for values: the first 128 bits of
# its SHA-256.
#
#   cmake -DOUTPUT=... -DJSON=FILE -DYAML=FILE -P embed_openapi.cmake
set(blobs "")
set(rows "")
foreach(form YAML JSON)
	file(SHA256 "${${form}}" hash)
	string(SUBSTRING ${hash} 0 32 hash)
	string(TOLOWER ${form} symbol)
	string(APPEND blobs "extern const char openapi_${symbol}[], openapi_${symbol}_end[];\n"
		"__asm__(\".pushsection .rodata.openapi,\\\"a\\\",%progbits\\n\"\n"
		"\t\"openapi_${symbol}:\\n.incbin \\\"${${form}}\\\"\\n"
		"openapi_${symbol}_end:\\n.popsection\");\n")
	string(APPEND rows "\t[OPENAPI_${form}] = {\"application/${symbol}\", \"\\\"${hash}\\\"\", "
		"openapi_${symbol}, openapi_${symbol}_end},\n")
endforeach()
file(WRITE "${OUTPUT}" "/* Made by cmake/embed_openapi.cmake. */\n"
	"#include \"handlers/pages/openapi_files.h\"\n\n${blobs}\n"
	"const struct openapi_file openapi_files[OPENAPI_FORMS] = {\n${rows}};\n")
