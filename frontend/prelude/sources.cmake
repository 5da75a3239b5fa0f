# Writes a C++ file that holds the texts of the prelude.
#   cmake -DOUTPUT=prelude_sources.cpp -DFOLDER=frontend/prelude -P frontend/prelude/sources.cmake
# A raw string literal may be 65,536 characters long at least in every compiler; longer texts are cut into several that
# stand side by side.
file(GLOB_RECURSE files RELATIVE ${FOLDER} ${FOLDER}/*.tarn)
list(SORT files)
list(LENGTH files count)
set(rows "")
foreach(file IN LISTS files)
  file(READ ${FOLDER}/${file} text)
  string(LENGTH "${text}" length)
  set(literal "")
  set(begin 0)
  while(begin LESS length)
    string(SUBSTRING "${text}" ${begin} 8000 part)
    string(APPEND literal "R\"tarn_source(${part})tarn_source\" ")
    math(EXPR begin "${begin} + 8000")
  endwhile()
  string(APPEND rows "    {\"prelude/${file}\", ${literal}},\n")
endforeach()
set(content "// Made by frontend/prelude/sources.cmake from frontend/prelude/*.tarn.\n#include \"frontend/prelude/prelude.h\"\n\nnamespace tarn {\n\n")
string(APPEND content "const PreludeSource kPreludeSources[] = {\n${rows}};\nconst std::size_t kPreludeSourceCount = ${count};\n\n}  // namespace tarn\n")
file(WRITE ${OUTPUT} "${content}")
