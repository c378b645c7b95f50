; From one type to another, however long, and with nothing cut off.

(define (message thunk) (guard (e (error-message e)) (thunk)))
(define long (iota 5000))
(print (equal? (vector->list (list->vector long)) long) " " (list->vector '()) " " (list->vector '(1 (2) "3")))
(print (message (lambda () (list->vector '(1 . 2)))))
(print (message (lambda () (string 65 256))) ", " (message (lambda () (string -1))) ", " (message (lambda () (string 0.5))))
(print (message (lambda () (write-byte 256))) ", " (string 72 105) ", " (string-ref (string 255) 0))
