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
func isPowerShell(text []byte) bool {
	for _, m := range []string{"invoke-expression ", "invoke-webrequest ", "start-process ", "set-executionpolicy ", "[cmdletbinding", "iex (", "iex("} {
		if at(text, 0, m) || bytes.Contains(text, []byte("\n"+m)) {
			return true
		}
	}
	return false
}

// isEncoded matches the output of Microsoft's script encoder (JSE, VBE).
func isEncoded(b []byte) bool {
	text := head(b, 64)
	i := bytes.Index(text, []byte("#@~^"))
	return i >= 0 && i < 4 && len(b) > i+12 && isText(b)
}

func isWSF(text []byte) bool {
	return holdsAny(text, []string{"<job", "<package"}) && holdsAny(text, []string{"<script language", "<script type", "<script src", "<script>"}) &&
		!holdsAny(text, []string{"<html", "<svg", "<body"})
}

// isWSH matches JScript and VBScript by the objects that only the scripting
// host has, where a web page cannot be meant.
func isWSH(text []byte) bool {
	host := holdsAny(text, []string{"createobject(\"wscript.", "createobject(\"scripting.", "activexobject(\"wscript.",
		"activexobject('wscript.", "activexobject(\"scripting.", "wscript.createobject", "wscript.shell", "wscript.echo", "wscript.quit"})
	return host && !at(text, 0, "<") && !isMail(text)
}

func isINF(text []byte) bool {
	return holdsAny(text, []string{"[version]"}) && holdsAny(text, []string{"$chicago$", "$windows nt$", "$windows 95$"})
}
