# Writes OUTPUT, a C file that defines `const char NAME[]` with the bytes of the files in INPUTS (a
# list with | between), one after the other, and a NUL: so that text which stands in a file need not
# stand in the code a second time.
#
#   cmake -DOUTPUT=... -DNAME=... -DINPUTS=... -P embed.cmake
string(REPLACE "|" ";" files "${INPUTS}")
set(bytes "")
foreach(file ${files})
	file(READ "${file}" hex HEX)
	string(APPEND bytes "${hex}")
endforeach()
string(REGEX REPLACE "(................................)" "\\1\n" lines "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," lines "${lines}")
file(WRITE "${OUTPUT}" "extern const char ${NAME}[];\nconst char ${NAME}[] = {\n${lines}0};\n")
