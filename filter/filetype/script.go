package filetype

import "bytes"

var scripts = []Type{
	{Name: "script-shebang", Runs: true, Match: isShebang},
	textual("script-batch", runs, begins("@echo off", "@echo on", "echo off\r\n", "@cmd ", "@powershell", "@start ", "@setlocal")),
	textual("script-powershell", runs, isPowerShell),
	textual("script-registry", runs, begins("windows registry editor version 5", "regedit4")),
	{Name: "script-encoded", Runs: true, Match: isEncoded},
	textual("script-wsf", runs, isWSF),
	textual("script-sct", runs, tells("<scriptlet>", "<scriptlet ")),
	textual("script-wsh", runs, isWSH),
	textual("script-inf", runs, isINF),
	textual("script-php", runs, begins("<?php")),
	textual("hta", runs, tells("<hta:application")),
}

func isShebang(b []byte) bool {
	line, _, _ := bytes.Cut(head(b, 128), []byte("\n"))
	line = bytes.TrimLeft(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf#!")), " \t")
	line = bytes.TrimLeft(bytes.TrimPrefix(line, []byte("#!")), " \t")
	return (at(b, 0, "#!") || at(b, 3, "#!")) && at(line, 0, "/")
}

// isPowerShell matches words that stand in no other language's text by
// chance, at the start of a line.
func isPowerShell(t *opening) bool {
	return powerShell(t.b) || t.holds("\ninvoke-expression ", "\ninvoke-webrequest ", "\nstart-process ",
		"\nset-executionpolicy ", "\n[cmdletbinding", "\niex (", "\niex(")
}

var powerShell = starts("invoke-expression ", "invoke-webrequest ", "start-process ", "set-executionpolicy ", "[cmdletbinding", "iex (", "iex(")

// isEncoded matches the output of Microsoft's script encoder (JSE, VBE).
func isEncoded(b []byte) bool {
	text := head(b, 64)
	i := bytes.Index(text, []byte("#@~^"))
	return i >= 0 && i < 4 && len(b) > i+12 && isText(b)
}

func isWSF(t *opening) bool {
	return t.holds("<job", "<package") && t.holds("<script language", "<script type", "<script src", "<script>") &&
		!t.holds("<html", "<svg", "<body")
}

// isWSH matches JScript and VBScript by the objects that only the scripting
// host has, where a web page cannot be meant.
func isWSH(t *opening) bool {
	host := t.holds("createobject(\"wscript.", "createobject(\"scripting.", "activexobject(\"wscript.",
		"activexobject('wscript.", "activexobject(\"scripting.", "wscript.createobject", "wscript.shell", "wscript.echo", "wscript.quit")
	return host && !t.begins("<") && !isMail(t)
}

func isINF(t *opening) bool {
	return t.holds("[version]") && t.holds("$chicago$", "$windows nt$", "$windows 95$")
}
